"""The audit of a data set on a terminal."""

import io

from rich.console import Console

from agegender.report.tables.audit_console import print_audit


def test_an_audit_tells_counts_duplicates_leaks_and_what_was_skipped() -> None:
    found = {
        "root": "a[b].tar",
        "files": 1_205,
        "usable": 1_200,
        "scheme": "closed",
        "groups": {"0-2": 300, "3-6": 900},
        "genders": {"male": 600, "female": 600},
        "races": {"White": 1_200},
        "exact": {"sets": 2, "files": 5, "conflicting_sets": 1},
        "near": {"sets": 3, "files": 7, "conflicting_sets": 0},
        "crops": {"sets": 120, "files": 240, "conflicting_sets": 0},
        "disagreement": {"pairs": 4, "group": 0.25, "gender": 0.5, "years": 3.25},
        "leak": {"test": 240, "test_with_copy_elsewhere": 12},
        "split": {"leak control": {"train": 800, "left_out": 4}},
        "skipped": {f"{number}.jpg": "no [age]" for number in range(25)},
        "labels": {"name": "faces.csv", "faces": 1_205, "unlisted_files": 3},
    }
    text = io.StringIO()
    print_audit(found, Console(file=text, width=200, color_system=None))
    told = " ".join(text.getvalue().split())
    for needed in (
        "a[b].tar: 1,205 image files, 1,200 usable",
        "Labels from faces.csv: faces 1,205, unlisted files 3",
        "0-2 300 25.0 %",
        "male 600 50.0 %",
        "of 4 pairs of identical files 25.0 % differ in age group",
        "50.0 % in gender",
        "differ by 3.2 years",
        "Byte-identical: 2 sets, 5 files; 1 sets disagree",
        "12 of 240 test images (5.0 %)",
        "several crops: 120 photographs, 240 files",
        "Split with leak control: train 800, left out 4",
        "19.jpg: no [age]",
        "... and 5 more in audit.json",
    ):
        assert needed in told, needed
    assert "20.jpg" not in told
