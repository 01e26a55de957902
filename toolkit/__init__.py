"""The workstation side: data, training, evaluation, export and parity.

What a training, a search or a measurement decides on the way is logged at debug level::

    logging.basicConfig()
    logging.getLogger("toolkit").setLevel(logging.DEBUG)
"""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
