"""HRESULTs in texts, and the table that says what they mean."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.hresults import BrokenTable, Repair, Site, codes_in, described, read_table, spelled, table
from tests.support.parts import shared

FILE = Path(__file__).parents[2] / "detectors" / "data" / "hresults.json"

TEXTS: list[tuple[str, list[str]]] = [
    # The article's own, and the ways in which one code comes.
    ("Exception from HRESULT: 0x8024402C", ["0x8024402C"]),
    ("8024402c", ["0x8024402C"]),
    ("(HRESULT: 0x80072EE2)", ["0x80072EE2"]),
    ("-2145107924", ["0x8024402C"]),
    ("2149859372", ["0x8024402C"]),
    ("Access is denied. (Exception form HRESULT: 0x80070005(E_ACCESSDENIED))", ["0x80070005"]),
    (
        "The service cannot be started, either because it is disabled or ... (Exception from HRESULT: 0x80070422)",
        ["0x80070422"],
    ),
    ("0x80244022 ---> 0x8024401C", ["0x80244022", "0x8024401C"]),
    ("error=-2145107924;inner=0X8024401c.", ["0x8024402C", "0x8024401C"]),
    # No error codes: success, a restart that is needed, a KB, a date, parts of GUIDs, of versions and of words.
    ("0x00000000", []),
    ("0x00240005", []),
    ("0", []),
    ("KB2267602, KB5034768", []),
    ("20260310 2026-03-10T06:00:00Z", []),
    ("80244022-1111-4222-8333-444444444444", []),
    ("1111-80244022", []),
    ("x80244022 80244022a 0x802440221", []),
    ("10.0.80244022", []),
    ("1773122400", []),
    ("Exception from HRESULT: 0x......C", []),
    ("-9999999999 9999999999", []),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "codes"), TEXTS)
def test_codes_are_found_in_whatever_form_they_come(text: str, codes: list[str]) -> None:
    assert [spelled(code) for code in codes_in(text)] == codes


errors = st.integers(0x8000_0000, 0xFFFF_FFFF)


def _forms(code: int) -> st.SearchStrategy[str]:
    hexes = [f"0x{code:08x}", f"0X{code:08X}", f"(HRESULT: 0x{code:08X})"]
    signed = code - (1 << 32)
    # Small negative numbers are no codes that anybody writes in decimal.
    decimals = [str(code), str(signed)] if len(str(signed)) >= 10 else [str(code)]
    bare = [f"{code:08x}", f"{code:08X}"] if f"{code:08x}".startswith("80") else []
    return st.sampled_from([*hexes, *decimals, *bare])


@given(errors.flatmap(lambda code: st.tuples(st.just(code), _forms(code))))
def test_every_form_of_a_code_means_the_same_code(case: tuple[int, str]) -> None:
    code, text = case

    assert codes_in(text) == (code,)
    assert codes_in(f"Something failed: {text}, at once.") == (code,)


@given(st.lists(errors, min_size=1, max_size=5), st.data())
def test_several_codes_come_in_their_order_and_the_last_is_the_innermost(codes: list[int], data: st.DataObject) -> None:
    text = " ---> ".join(data.draw(_forms(code)) for code in codes)

    # One that is only repeated is told once.
    assert codes_in(text) == tuple(code for n, code in enumerate(codes) if n == 0 or codes[n - 1] != code)


@given(st.text())
def test_any_text_is_read_without_complaint(text: str) -> None:
    assert all(0x8000_0000 <= code <= 0xFFFF_FFFF for code in codes_in(text))


@given(st.integers(0, 0x7FFF_FFFF))
def test_codes_of_success_are_no_errors(code: int) -> None:
    assert codes_in(f"0x{code:08X}") == ()


def test_every_code_of_the_specification_is_in_the_table() -> None:
    section = shared("domain/scenarios.md").read_text(encoding="utf-8").split("\n## S12.")[1].split("\n## S13.")[0]
    # Some are written as a run of endings: 0x80244016-19, 0x8024401F/0x80244021/22/23.
    wanted = {code.upper() for code in re.findall(r"0x(8[0-9A-Fa-f]{7})", section)}
    wanted |= {"80244017", "80244018", "80244019", "80244022", "80244023"}

    assert wanted - {code.removeprefix("0x") for code in table().codes} == set()


def test_every_row_has_a_source_and_a_day_on_which_it_was_reviewed() -> None:
    document = json.loads(FILE.read_text(encoding="utf-8"))
    rows = [*document["codes"], *document["families"], document["otherwise"]]

    assert all(row["source"] and date.fromisoformat(row["reviewed"]) >= date(2026, 1, 1) for row in rows)
    assert len(table().codes) == len(document["codes"])


@pytest.mark.parametrize(
    ("code", "name", "repair", "site"),
    [
        (0x8024402C, "WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", Repair.RESCAN, Site.SOURCE),
        (0x80070422, "ERROR_SERVICE_DISABLED", Repair.START_UPDATE_SERVICE, Site.MACHINE),
        (0x80242006, "WU_E_UH_INVALIDMETADATA", Repair.RESET_UPDATE_STORE, Site.MACHINE),
        (0x80070005, "E_ACCESSDENIED", Repair.GRANT_UPDATE_STORE, Site.MACHINE),
        # Not in the table: its family answers, and for the rest what holds for any code.
        (0x80248FFF, "WU_E_DS_*", Repair.RESET_UPDATE_STORE, Site.MACHINE),
        (0x8024AFFF, "WU_E_AU_*", Repair.RESCAN, Site.MACHINE),
        (0x80131500, "", Repair.ADVISE, Site.MACHINE),
    ],
)
def test_a_code_is_looked_up_in_the_table_then_in_its_family(code: int, name: str, repair: Repair, site: Site) -> None:
    row = table().of(code)

    assert (row.name, row.repair, row.site) == (name, repair, site)
    assert described(code)["code"] == spelled(code)


ROW = {
    "code": "0x80240001", "name": "N", "meaning": "m", "action": "advise", "site": "machine", "advice": ["a"],
    "source": "s", "reviewed": "2026-01-01",
}  # fmt: skip
BROKEN = [
    ("not JSON", "{"),
    ("not an object", "[]"),
    ("an action that there is not", {**ROW, "action": "reboot"}),
    ("a site that there is not", {**ROW, "site": "moon"}),
    ("no advice", {**ROW, "advice": []}),
    ("no source", {**ROW, "source": ""}),
    ("no day", {**ROW, "reviewed": "soon"}),
    ("a code of success", {**ROW, "code": "0x00240005"}),
    ("small letters", {**ROW, "code": "0x8024000b"}),
    ("not an object as a row", "row"),
]


@pytest.mark.parametrize("row", [each[1] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_a_broken_table_is_refused_with_the_row(row: object) -> None:
    otherwise = {key: value for key, value in ROW.items() if key != "code"}
    text = row if row in ("{", "[]") else json.dumps({"codes": [row], "families": [], "otherwise": otherwise})

    with pytest.raises(BrokenTable):
        read_table(str(text))


def test_a_code_that_comes_twice_is_refused() -> None:
    with pytest.raises(BrokenTable, match="0x80240001: twice"):
        read_table(json.dumps({"codes": [ROW, ROW], "families": [], "otherwise": ROW}))
