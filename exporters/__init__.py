"""Export formats: convert a Keras model into a self-describing model file.

The package logs each conversion with its duration to the logger ``exporters``, at level
``DEBUG``; nothing is shown unless the application configures logging.

Example::

    logging.basicConfig()
    logging.getLogger("exporters").setLevel(logging.DEBUG)
"""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
