"""Names and values that would break a page or a drawing if they were not escaped."""

import html
import xml.etree.ElementTree as ET

import pytest

from rafair.report import render_pages


@pytest.fixture(scope="module")
def pages(hostile_run):
    return {name: content.decode() for name, content in render_pages(hostile_run).items()}


def texts_of(svg):
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter() if element.text]


def test_no_hostile_tag_reaches_the_page(pages):
    assert "<script>alert" not in pages["report.html"]
    assert pages["report.html"].count("<script") == pages["report.html"].count("</script>") == 2
    assert "<b>&name" not in pages["report.html"]
    assert "&lt;b&gt;&amp;name&lt;/b&gt;" in pages["report.html"]


def test_hostile_words_are_on_the_page_to_be_read(pages, hostile_words):
    shown = html.unescape(pages["report.html"])
    for word in (*hostile_words, "</td>", "<b>&name</b>"):
        assert word in shown


def test_names_are_not_taken_for_template_code(pages):
    assert "{{ 7 * 7 }}" in pages["report.html"]


@pytest.mark.parametrize("name", ["figures/confusion.svg", "figures/sensitive.svg"])
def test_the_figures_are_well_formed_and_free_of_hostile_tags(pages, name):
    root = ET.fromstring(pages[name])
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags.isdisjoint({"script", "a", "image", "foreignObject"})


def test_sensitive_names_are_drawn_as_they_are_not_as_formulas(pages, hostile_run):
    drawn = texts_of(pages["figures/sensitive.svg"])
    for name in hostile_run.manifest["schema"]["sensitive"]:
        assert name in drawn


def test_the_run_with_hostile_names_breaks_for_somebody(hostile_run):
    """Else the tests above would look at a page without stories."""
    assert (hostile_run.instances["cell"] != "TF").any()


@pytest.mark.parametrize("name", ["$", "$$", "$x_$", "\\alpha", "%", "#", "a_b^c", "&amp;", "]]>"])
def test_no_name_of_a_sensitive_attribute_breaks_the_drawing(hostile_run, name):
    from dataclasses import replace

    rates = next(iter(hostile_run.metrics["by_sensitive"].values()))
    metrics = {**hostile_run.metrics, "by_sensitive": {name: rates, "other": rates}}
    drawn = render_pages(replace(hostile_run, metrics=metrics))["figures/sensitive.svg"].decode()
    assert name in texts_of(drawn)
