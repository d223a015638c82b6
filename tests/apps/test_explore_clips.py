"""Clips of the sample in the tab Explore, in a browser: listed as film strips, and played."""

import pytest

from contrast import illegible
from emo3d.dataset import sample_folder
from emo3d_demo.browse import open_dataset
from hanging import wait_on_page

pytestmark = pytest.mark.browser


def open_clips(page):
    page.get_by_role("tab", name="Make", exact=True).wait_for()
    page.wait_for_timeout(1000)  # Gradio measures tabs first
    page.get_by_role("tab", name="Explore", exact=True).click()
    page.locator(".rows figure").first.wait_for()
    page.get_by_label("Config").click()
    page.get_by_role("option", name="clips").click()
    page.locator(".rows .film").first.wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_clips_are_listed_and_played(demo, visit, width, scheme):
    page = visit(demo, width, scheme)
    open_clips(page)
    assert page.locator(".rows .film").count() == 12
    page.get_by_role("button", name="Play the clip of row 3").click()
    page.locator("#explored canvas[data-frame]").wait_for()
    wait_on_page(page, lambda: int(page.locator("#explored canvas").get_attribute("data-frame")) > 3, "it to play")
    assert page.locator("#explored [role=slider]").count() == 0  # a dataset's beats stay where they are
    page.wait_for_timeout(1000)
    assert illegible(page) == ({}, [])
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Play the clip of row 12").wait_for()
    assert not page.locator("#explored canvas").is_visible()


def test_rows_of_clips_are_read_as_arrow_has_them():
    from pyarrow import parquet

    table = parquet.read_table(sample_folder("clips") / "test.parquet").to_pylist()
    page = open_dataset("sample").look("clips", "test", 20)
    assert [row.place for row in page.rows] == list(range(20, 32))
    for row, cells in zip(page.rows, table[20:32], strict=True):
        assert row.clip.frames.tolist() == cells["frames"]
        assert [beat.start for beat in row.clip.beats] == [beat["start"] for beat in cells["beats"]]
        assert row.descriptions == [cells["description"]]
    emotions = open_dataset("sample").look("clips", "test", 0, "", "anger").rows
    assert emotions
    assert all(row.intensities[4] == row.intensities.max() for row in emotions)  # anger, the fifth of eight
