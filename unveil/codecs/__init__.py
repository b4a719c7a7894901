"""Classical image codecs: colour, patches, quantizers, order, and a format of files. No network lives here.

Names are fetched when they are first used: `unveil.codecs.names` and `unveil.codecs.headers` import no torch.
"""

from typing import TYPE_CHECKING

from unveil.core.late import fetched_late

if TYPE_CHECKING:
    from unveil.codecs.bitstream import Unpacked as Unpacked
    from unveil.codecs.bitstream import pack as pack
    from unveil.codecs.bitstream import unpack as unpack
    from unveil.codecs.codec import Codec as Codec
    from unveil.codecs.fitting import fit_codec as fit_codec
    from unveil.codecs.headers import Header as Header
    from unveil.codecs.names import Layout as Layout
    from unveil.codecs.names import parse_name as parse_name
    from unveil.codecs.ordering import order as order
    from unveil.codecs.quantizers import Quantizer as Quantizer
    from unveil.codecs.storage import load_codec as load_codec
    from unveil.codecs.storage import save_codec as save_codec

_HOMES = {
    "Codec": "codec",
    "Header": "headers",
    "Layout": "names",
    "Quantizer": "quantizers",
    "Unpacked": "bitstream",
    "fit_codec": "fitting",
    "load_codec": "storage",
    "order": "ordering",
    "pack": "bitstream",
    "parse_name": "names",
    "save_codec": "storage",
    "unpack": "bitstream",
}
__getattr__, __dir__ = fetched_late(__name__, _HOMES)
