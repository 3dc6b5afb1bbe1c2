"""YAML is read without surprises, and every node knows where it stands."""

import pytest

from fireline.spec.documents import Place, plain, read_document


def read(text: str) -> object:
    document = read_document("f.yaml", text.encode())
    assert not document.faults
    return plain(document.root)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("2026-11-01", "2026-11-01"),
        ("0x10", "0x10"),
        ("012", "012"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("99999999999999999999", "99999999999999999999"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("5", 5),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'5'", "5"),
        ('"true"', "true"),
        ("|\n  x: y\n", "x: y\n"),
    ],
)
def test_plain_values_are_what_they_look_like(written: str, value: object) -> None:
    found = read(f"key: {written}\n")
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_keys_are_always_texts() -> None:
    assert read("5: a\ntrue: b\non: c\n<<: d\n") == {"5": "a", "true": "b", "on": "c", "<<": "d"}


def test_places_of_values_keys_and_what_is_missing() -> None:
    document = read_document("f.yaml", b"a:\n  b: [x, 'y']\n")
    assert document.place(("a", "b", 1)) == Place(2, 10)
    assert document.place(("a", "b"), key=True) == Place(2, 3)
    assert document.place(("a", "missing", "far")) == Place(2, 3)
    assert document.place(()) == Place(1, 1)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read("\ufeffa: 1\n") == {"a": 1}


def test_undecodable_bytes_are_located() -> None:
    (fault,) = read_document("f.yaml", b"a: 1\nb: \xe9t\xe9\n").faults
    assert (fault.place, fault.message) == (Place(2, 4), "the byte 0xe9 is not UTF-8")


def test_large_files_are_not_read() -> None:
    (fault,) = read_document("f.yaml", b"a" * (256 * 1024 + 1)).faults
    assert fault.message == "the file has 262145 bytes, at most 262144 are allowed"


def test_a_deep_file_is_refused_without_reading_it_all() -> None:
    (fault,) = read_document("f.yaml", b"[" * 200_000).faults
    assert fault.message == "this is nested deeper than 20 levels"


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9)
    )
    (fault,) = read_document("f.yaml", bomb.encode()).faults
    assert fault.place == Place(1, 4)
