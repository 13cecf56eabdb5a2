"""The page on clusters: its estimate is what its script prints."""

from reader import DOCS, blocks


def test_the_estimate_is_what_the_script_prints(reader, capsys):
    page = DOCS / "cluster.md"
    reader.follow(page)
    estimate = blocks(page)[-1] if "%" in blocks(page)[-1].text else blocks(page)[-2]
    assert capsys.readouterr().out == estimate.text
