"""What a user gets for the images they bring."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from lacuna.io.spreadsheets import escaped, unescaped
from tests.heic_picture import TURNED_HEIC
from tests.ood_bundle import write_ood_bundle
from tests.serving_page.conftest import Open, Visit, lines
from tests.serving_page.running_service import running_service, write_described_bundle
from tests.tiny_bundle import TIED_CALIBRATION, TIED_PICK, TIED_TARGETS, write_tiny_bundle

pytestmark = pytest.mark.slow

# Of a yellow image colour has the logits 1, 0 and red 2 x 1 - 1 = 1; of a blue one colour 0, 1 and red -1.
# The logistic function of 1 is 0.731, that of -1 is 0.269; red is present from 0.6 on.


def test_a_chosen_image_gets_a_card_with_every_targets_decision_and_confidence(visit: Visit, images: Path) -> None:
    visit.choose(images / "yellow.png")
    card = visit.card("yellow.png")
    colour, red = card.locator(".target").all()
    assert lines(colour) == ["colour", "decision:", "green", "73 %", "blue", "27 %"]
    assert lines(red)[:4] == ["red", "present", "present from 60 %", "73 %"]
    expect(red.locator(".warning")).to_contain_text("no better than chance")  # its verdict on test
    expect(visit.page.get_by_role("status")).to_have_text("yellow.png: colour: green and red: present.")


def test_bars_are_as_long_as_their_probabilities_and_the_tick_stands_at_the_threshold(
    visit: Visit, images: Path
) -> None:
    visit.choose(images / "blue.png")
    bar, fill, tick = (
        visit.card("blue.png").locator(f".binary {part}").bounding_box() for part in (".bar", ".fill", ".tick")
    )
    assert fill["width"] / bar["width"] == pytest.approx(0.269, abs=0.01)
    assert (tick["x"] + tick["width"] / 2 - bar["x"]) / bar["width"] == pytest.approx(0.6, abs=0.01)


def test_many_images_are_answered_each_on_its_own_and_the_newest_stand_first(visit: Visit, images: Path) -> None:
    visit.choose(images / "yellow.png", images / "notes.txt")
    visit.choose(*[images / "blue.png"] * 9)
    assert visit.page.locator(".file-name").all_inner_texts() == ["blue.png"] * 9 + ["yellow.png", "notes.txt"]
    assert visit.page.locator(".binary .decision").all_inner_texts() == ["absent"] * 9 + ["present"]
    expect(visit.page.locator("#state")).to_have_text("10 images analysed, 1 could not be")
    visit.page.get_by_role("button", name="Clear").click()
    expect(visit.page.locator("#results")).to_be_hidden()
    expect(visit.page.get_by_role("button", name="Choose images")).to_be_focused()


def test_what_is_no_image_is_named_with_the_services_reason(visit: Visit, images: Path) -> None:
    visit.choose(images / "notes.txt")
    card = visit.card("notes.txt")
    expect(card.locator(".failure")).to_contain_text("not analysed not an image of a known format; expected")
    expect(card.get_by_role("button", name="Try again")).to_have_count(0)  # it would be of no use
    expect(card.get_by_text("no preview")).to_be_visible()
    expect(visit.page.get_by_role("status")).to_contain_text("1 image could not be analysed. not an image of")


def test_the_csv_has_every_result_quoted_and_no_formula(visit: Visit, images: Path, tmp_path: Path) -> None:
    for name, colour in (("=1+1.png", "yellow"), ('a, "b".png', "blue"), ("\uff1d1.png", "blue"), ("'-1.png", "blue")):
        (tmp_path / name).write_bytes((images / f"{colour}.png").read_bytes())
    names = ("=1+1.png", 'a, "b".png', "\uff1d1.png", "'-1.png")
    visit.choose(*[tmp_path / name for name in names], images / "notes.txt")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "predictions.csv"
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    header, sun, sea, wide, quoted, notes = csv.reader(io.StringIO(text, newline=""))
    assert header == [
        "image", "error", "unfamiliar", "colour", "colour probability", "colour unsure", "red", "red probability",
        "red unsure",
    ]  # fmt: skip
    assert [sun[0], sun[1], sun[3], sun[6]] == ["'=1+1.png", "", "green", "present"]
    assert [float(sun[4]), float(sun[7])] == pytest.approx([0.731059, 0.731059], abs=1e-4)
    assert [sea[3], sea[6]] == ["blue", "absent"]
    assert float(sea[7]) == pytest.approx(0.268941, abs=1e-4)
    assert sea[0].startswith("a, ")
    assert [unescaped(wide[0]), unescaped(quoted[0])] == [names[2], names[3]]  # by the rule that the commands have
    assert [escaped(names[2]), escaped(names[3])] == [wide[0], quoted[0]]
    assert notes[0] == "notes.txt"
    assert notes[1]
    assert notes[2:] == [""] * 7


def test_an_answer_without_the_promised_precision_reads_unsure(
    open_page: Open, narrow_service: str, images: Path
) -> None:
    visit = open_page(narrow_service)  # the 60 labels that the model brings along are too few for its promise
    visit.choose(images / "yellow.png")
    colour, red = visit.card("yellow.png").locator(".target").all()
    assert lines(colour)[:4] == ["colour", "unsure", "rather:", "green"]
    assert lines(red)[:2] == ["red", "unsure rather present"]
    assert "being right in 99 % of cases cannot be promised" in " ".join(lines(visit.page.locator("#about")))


def test_an_unfamiliar_image_is_called_so(open_page: Open, images: Path, tmp_path: Path) -> None:
    with running_service("--bundle", write_ood_bundle(tmp_path / "with_detector")) as address:
        visit = open_page(address)  # this model learned from pictures of a reddish brown
        visit.choose(images / "blue.png")
        expect(visit.card("blue.png").locator(".unfamiliar")).to_have_text(
            "unfamiliar This image is unlike those the model learned from. Do not rely on the answers."
        )
        expect(visit.page.get_by_role("status")).to_contain_text("blue.png: unfamiliar; colour: blue")
        Image.new("RGB", (40, 40), (178, 127, 102)).save(tmp_path / "brown.png")
        visit.choose(tmp_path / "brown.png")
        expect(visit.card("brown.png").locator(".target")).to_have_count(2)
        expect(visit.card("brown.png").locator(".unfamiliar")).to_have_count(0)


def test_a_class_decided_for_against_the_odds_is_explained(open_page: Open, tmp_path: Path) -> None:
    # Of colour green and blue have the logits 0 and 0.6, of shade leaf and sky 1 and 0. A leaf is green and the sky
    # blue: green and leaf together (0 + 1) are more likely than blue and sky (0.6 + 0).
    Image.new("RGB", (40, 40), (255, 0, 153)).save(tmp_path / "pink.png")
    tied = write_tiny_bundle(tmp_path / "tied", TIED_TARGETS, TIED_CALIBRATION, TIED_PICK)
    with running_service("--bundle", tied) as address:
        visit = open_page(address)
        visit.choose(tmp_path / "pink.png")
        colour, shade = map(lines, visit.card("pink.png").locator(".target").all())
        explanation = "green is decided for: it fits the other answers."
        assert colour == ["colour", "blue", "65 %", "decision:", "green", "35 %", explanation]
        assert shade == ["shade", "decision:", "leaf", "73 %", "sky", "27 %"]
        assert "This model comes without test results." in lines(visit.page.locator("#about"))


def test_a_heat_map_is_laid_over_the_image_and_taken_off_again(visit: Visit, tmp_path: Path) -> None:
    half = Image.new("RGB", (40, 40), (255, 0, 0))
    half.paste((0, 255, 255), (20, 0, 40, 40))
    half.save(tmp_path / "half.png")
    visit.choose(tmp_path / "half.png")
    card = visit.card("half.png")
    toggle, picture = card.get_by_role("button", name="Heat map"), card.locator("img")
    original = picture.get_attribute("src")
    toggle.click()
    card.get_by_label("Target of the heat map").select_option("red")
    expect(card.get_by_label("Class of the heat map")).to_have_value("present")
    expect(card.get_by_role("status")).to_contain_text("“present” of red")
    left, right = (card.locator("img").evaluate(PIXEL, share) for share in (0.25, 0.75))
    assert left[0] > left[2] + 50  # orange where the image is red, which is what speaks for it
    assert right[0] <= right[2] + 10
    toggle.click()
    expect(picture).to_have_attribute("src", original)
    expect(toggle).to_have_attribute("aria-pressed", "false")


def test_what_the_browser_cannot_show_is_answered_and_has_its_heat_map(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "phone.heic").write_bytes(TURNED_HEIC)
    visit.choose(tmp_path / "phone.heic")
    card = visit.card("phone.heic")
    expect(card.locator(".binary .decision")).to_be_visible()
    expect(card.get_by_text("no preview")).to_be_visible()
    card.get_by_role("button", name="Heat map").click()
    expect(card.locator("img")).to_be_visible()
    card.get_by_role("button", name="Heat map").click()
    expect(card.get_by_text("no preview")).to_be_visible()


PIXEL = """async (image, share) => {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const drawing = canvas.getContext("2d");
    drawing.drawImage(image, 0, 0);
    return [...drawing.getImageData(share * canvas.width, canvas.height / 2, 1, 1).data];
}"""


def test_two_models_answer_on_one_card_and_only_the_explainable_one_has_heat_maps(
    open_page: Open, bundle: Path, images: Path, tmp_path: Path
) -> None:
    deep = write_described_bundle(tmp_path / "deep", linear=False)
    with running_service("--bundle", bundle, deep) as address:
        visit = open_page(address)
        visit.choose(images / "yellow.png")
        card = visit.card("yellow.png")
        names = ["tiny/colour", "deep/colour", "tiny/red", "deep/red"]
        assert card.locator("h4").all_inner_texts() == names
        card.get_by_role("button", name="Heat map").click()
        offered = card.get_by_label("Target of the heat map").locator("option")
        assert offered.all_inner_texts() == ["tiny/colour", "tiny/red"]
        assert [title.split("version")[0].strip() for title in visit.page.locator(".model h3").all_inner_texts()] == [
            "tiny",
            "deep",
        ]
