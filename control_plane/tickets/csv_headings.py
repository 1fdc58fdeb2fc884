"""Headings of a file of codes: which column holds the code and which the label. A heading is never a ticket."""

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

# Words that people use, the least ambiguous first; letters and digits only, without accents and in lower case.
_CODE_HEADINGS: Final = (
    "code", "codes", "accesscode", "ticketcode", "vouchercode", "couponcode", "promocode", "discountcode", "entrycode",
    "zugangscode", "gutscheincode", "einlasscode", "aktionscode", "codedacces", "codesdacces", "codedebillet",
    "codepromo", "codigo", "codigos", "codigodeacceso", "codigodeentrada", "codice", "codicediaccesso", "kod", "kode",
    "koodi", "kodu", "kood", "koda", "код", "кодбилета", "κωδικος", "コード", "代码", "代碼", "코드", "קוד", "رمز",
    "voucher", "coupon", "ticket", "tickets", "ticketnumber", "gutschein", "gutscheinnummer", "ticketnummer", "billet",
    "entrada", "boleto", "biglietto", "bilet", "billett", "biljett", "pin", "token", "key", "schlussel", "cle", "clave",
)  # fmt: skip
_LABEL_HEADINGS: Final = (
    "label", "name", "note", "notes", "comment", "comments", "remark", "description", "bezeichnung", "notiz",
    "bemerkung", "kommentar", "beschriftung", "etiquette", "libelle", "nom", "remarque", "commentaire", "etiqueta",
    "nombre", "nota", "notas", "comentario", "etichetta", "nome",
)  # fmt: skip
_EXPORT_HEADINGS: Final = ("code", "eventtitle", "expiresat", "label", "status")


class Columns(NamedTuple):
    """Where code and label are. Without a heading there are only these two columns; `is_own` marks our own export."""

    code: int = 0
    label: int | None = 1
    width: int = 2
    is_own: bool = False


def read(row: Sequence[str]) -> Columns | None:
    """Return the columns that a heading names, or None if the line is not a heading."""
    words = [_normalized(each) for each in row]
    code = _index_of(words, _CODE_HEADINGS)
    if code is None:
        return None
    return Columns(code, _index_of(words, _LABEL_HEADINGS), max(2, len(row)), tuple(words) == _EXPORT_HEADINGS)


def _index_of(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((words.index(word) for word in map(_normalized, known) if word in words), None)


def _normalized(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text[:100]).casefold()
    return "".join(each for each in letters if each.isalnum())
