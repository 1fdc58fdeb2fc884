"""The headings of a file of codes: which column has the code, and which the label. A heading is never a ticket."""

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

# In the words that people use, first those that leave no doubt; letters and digits, without accents and capitals.
_CODE: Final = (
    "code", "codes", "accesscode", "ticketcode", "vouchercode", "couponcode", "promocode", "discountcode", "entrycode",
    "zugangscode", "gutscheincode", "einlasscode", "aktionscode", "codedacces", "codesdacces", "codedebillet",
    "codepromo", "codigo", "codigos", "codigodeacceso", "codigodeentrada", "codice", "codicediaccesso", "kod", "kode",
    "koodi", "kodu", "kood", "koda", "код", "кодбилета", "κωδικος", "コード", "代码", "代碼", "코드", "קוד", "رمز",
    "voucher", "coupon", "ticket", "tickets", "ticketnumber", "gutschein", "gutscheinnummer", "ticketnummer", "billet",
    "entrada", "boleto", "biglietto", "bilet", "billett", "biljett", "pin", "token", "key", "schlussel", "cle", "clave",
)  # fmt: skip
_LABEL: Final = (
    "label", "name", "note", "notes", "comment", "comments", "remark", "description", "bezeichnung", "notiz",
    "bemerkung", "kommentar", "beschriftung", "etiquette", "libelle", "nom", "remarque", "commentaire", "etiqueta",
    "nombre", "nota", "notas", "comentario", "etichetta", "nome",
)  # fmt: skip
_OWN: Final = ("code", "eventtitle", "expiresat", "label", "status")


class Columns(NamedTuple):
    """Where code and label stand. Without a heading there are only these two; `is_own` is a file of our own export."""

    code: int = 0
    label: int | None = 1
    width: int = 2
    is_own: bool = False


def read(row: Sequence[str]) -> Columns | None:
    """Return what a heading says, or None for a line that is none."""
    words = [_plain(each) for each in row]
    code = _place(words, _CODE)
    if code is None:
        return None
    return Columns(code, _place(words, _LABEL), max(2, len(row)), tuple(words) == _OWN)


def _place(words: Sequence[str], known: Sequence[str]) -> int | None:
    return next((words.index(word) for word in map(_plain, known) if word in words), None)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text[:100]).casefold()
    return "".join(each for each in letters if each.isalnum())
