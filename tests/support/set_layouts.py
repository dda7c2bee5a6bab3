"""Miniatures of the data sets' layouts with their traps: files by path, and the labels that must be read from them."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from making import jpeg
from scipy.io import savemat

Expected = tuple[int, int, int, int]  # first age, last age, gender, race


@dataclass(frozen=True)
class Layout:
    """A data set as people have it.

    Attributes:
        files: contents by path.
        expected: labels by the face's name.
        counts: what the record must say of rows and files that were left out.
        parts, folds, subjects: by name, where the set has them.
    """

    files: dict[str, bytes]
    expected: dict[str, Expected]
    counts: dict[str, int] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    folds: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)


def _images(*names: str) -> dict[str, bytes]:
    return {name: jpeg(number, size=64) for number, name in enumerate(names)}


ADIENCE_HEADER = (
    "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score"
)


def _adience() -> Layout:
    def row(user: str, image: str, face: int, age: str, gender: str) -> str:
        return f"{user}\t{image}\t{face}\t{age}\t{gender}\t0\t4\t9\t9\t0\t0\t17"

    zero = [
        row("7@N03", "11_ab_o.jpg", 1, "(25, 23)", "f"),
        row("7@N03", "11_ab_o.jpg", 1, "(25, 23)", "f"),  # rows repeat
        row("7@N03", "11_ab_o.jpg", 2, "None", ""),  # no label at all
        row("7@N03", "12_cd_o.jpg", 2, "None", "m"),
        row("7@N03", "13_ef_o.jpg", 3, "(0, 2)", "u"),
    ]
    one = [
        row("9@N01", "21_x_o.jpg", 9, "35", "m"),
        row("9@N01", "22_x_o.jpg", 9, "(38, 48)", "m"),
        row("9@N01", "23_x_o.jpg", 9, "(8, 23)", "f"),
        row("9@N01", "24_x_o.jpg", 9, "(60, 100)", "f"),
    ]
    prefix = "AdienceBenchmarkGenderAndAgeClassification/"  # Kaggle's folder
    names = {
        "7@N03/landmark_aligned_face.1.11_ab_o.jpg": (25, 32, 1, -1),
        "7@N03/landmark_aligned_face.2.12_cd_o.jpg": (-1, -1, 0, -1),
        "7@N03/landmark_aligned_face.3.13_ef_o.jpg": (0, 2, -1, -1),
        "9@N01/landmark_aligned_face.9.21_x_o.jpg": (35, 35, 0, -1),
        "9@N01/landmark_aligned_face.9.22_x_o.jpg": (38, 43, 0, -1),
        "9@N01/landmark_aligned_face.9.23_x_o.jpg": (8, 12, 1, -1),
        "9@N01/landmark_aligned_face.9.24_x_o.jpg": (60, 100, 1, -1),
    }
    aligned = [f"{prefix}aligned/{name}" for name in [*names, "7@N03/landmark_aligned_face.2.11_ab_o.jpg"]]
    tilted = [
        name.replace("landmark_aligned", "coarse_tilt_aligned").replace("/aligned/", "/faces/") for name in aligned
    ]
    tables = {
        f"{prefix}fold_0_data.txt": zero,
        f"{prefix}fold_1_data.txt": one,
        f"{prefix}fold_frontal_0_data.txt": zero[:1],  # a subset, which must not be read too
    }
    return Layout(
        _images(*aligned, *tilted)
        | {path: "\n".join([ADIENCE_HEADER, *rows, ""]).encode() for path, rows in tables.items()},
        {f"aligned/{name}": labels for name, labels in names.items()},
        {"repeated_rows": 1, "without_label_rows": 1, "unlisted_files": 9, "missing_files": 0},
        folds={f"aligned/{name}": int(name.startswith("9")) for name in names},
        subjects={f"aligned/{name}": name.partition("/")[0] for name in names},
    )


def _fairface() -> Layout:
    header = "file,age,gender,race,service_test\n"
    train = f"{header}train/1.jpg,9-Mar,Male,East Asian,False\ntrain/2.jpg,20-29,Female,White,True\n"
    val = f"{header}val/1.jpg,0-2,Male,Middle Eastern,False\nval/2.jpg,more than 70,Female,Latino_Hispanic,True\n"
    folder = "fairface-img-margin025-trainval/"
    return Layout(
        _images(*(f"{folder}{name}.jpg" for name in ("train/1", "train/2", "val/1", "val/2")))
        | {"fairface_label_train.csv": train.encode(), "fairface_label_val.csv": b"\xef\xbb\xbf" + val.encode()},
        {
            "train/1.jpg": (3, 9, 0, 2),
            "train/2.jpg": (20, 29, 1, 0),
            "val/1.jpg": (0, 2, 0, 4),
            "val/2.jpg": (70, 120, 1, 4),
        },
        parts={"train/1.jpg": "train", "val/1.jpg": "test"},
    )


def _appa(real: bool) -> Layout:
    header = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"
    files: dict[str, bytes] = {}
    for folder, real_age in (("train", 4), ("valid", 30), ("test", 24)):
        table = f"{header}\n000001.jpg,38,27.9,4.1,{real_age}\n"
        files[f"gt_avg_{folder}.csv"] = table.encode()
        files |= _images(f"{folder}/000001.jpg", f"{folder}/000001.jpg_face.jpg")
    files["allcategories_test.csv"] = b"file,gender,race,happiness\n000001.jpg,female,afroamerican,happy\n"
    name = "{}/000001.jpg_face.jpg"
    ages = {"train": 4, "valid": 30, "test": 24} if real else dict.fromkeys(("train", "valid", "test"), 27)
    expected = {name.format(part): (age, age, -1, -1) for part, age in ages.items()}
    expected["test/000001.jpg_face.jpg"] = (ages["test"], ages["test"], 1, 1)
    parts = {name.format(folder): part for folder, part in (("train", "train"), ("valid", "val"), ("test", "test"))}
    return Layout(files, expected, {"unlisted_files": 3}, parts=parts)


def _agedb() -> Layout:
    return Layout(
        _images(
            "AgeDB/12_JaneDoe_35_f.jpg", "AgeDB/13_JaneDoe_101_f.jpg", "AgeDB/7_O'Neil_1_m.jpg", "AgeDB/readme.jpg"
        ),
        {
            "12_JaneDoe_35_f.jpg": (35, 35, 1, -1),
            "13_JaneDoe_101_f.jpg": (101, 101, 1, -1),
            "7_O'Neil_1_m.jpg": (1, 1, 0, -1),
        },
        {"unlisted_files": 1},
        subjects={"12_JaneDoe_35_f.jpg": "JaneDoe", "13_JaneDoe_101_f.jpg": "JaneDoe"},
    )


def _cacd() -> Layout:
    return Layout(
        _images("54_Jane_Doe_0006.jpg", "14_50_Cent_0001.jpg"),
        {"54_Jane_Doe_0006.jpg": (54, 54, -1, -1), "14_50_Cent_0001.jpg": (14, 14, -1, -1)},
        subjects={"54_Jane_Doe_0006.jpg": "Jane_Doe", "14_50_Cent_0001.jpg": "50_Cent"},
    )


def _fgnet() -> Layout:
    return Layout(
        _images("images/001A02.JPG", "images/001A43a.JPG", "images/082A16.JPG"),
        {"001A02.JPG": (2, 2, -1, -1), "001A43a.JPG": (43, 43, -1, -1), "082A16.JPG": (16, 16, -1, -1)},
        folds={"001A02.JPG": 1, "001A43a.JPG": 1, "082A16.JPG": 82},
        subjects={"001A02.JPG": "001", "001A43a.JPG": "001", "082A16.JPG": "082"},
    )


def _afad() -> Layout:
    names = ("15/111/638660-0.jpg", "72/112/638660-0.jpg")  # base names repeat
    return Layout(
        _images(*(f"AFAD-Full/{name}" for name in names)) | {"AFAD-Full/AFAD-Full.txt": b"./15/111/638660-0.jpg\n"},
        {names[0]: (15, 15, 0, -1), names[1]: (72, 72, 1, -1)},
    )


def _morph() -> Layout:
    table = (
        "id_num,picture_num,dob,doa,race,gender,facial_hair,age,age_diff,glasses,photo\n"
        "9055,1,01/01/1950,02/02/2004,B,M,,54,0,,Album2/009055_1M54.JPG\n"
        "9056,0,01/01/1980,02/02/2004,W,F,,24,0,,Album2/009056_0F24.JPG\n"
    )
    names = ("009055_1M54.JPG", "009056_0F24.JPG")
    return Layout(
        _images(*(f"Album2/{name}" for name in names)) | {"morph_2008_nonCommercial.csv": table.encode()},
        {names[0]: (54, 54, 0, 1), names[1]: (24, 24, 1, 0)},
        subjects={names[0]: "9055"},
    )


def _imdb_clean() -> Layout:
    header = "filename,age,gender,x_min,y_min,x_max,y_max,head_roll,head_yaw,head_pitch"
    image = "48/nm0000248_rm3513489152_1955-9-27_2012.jpg"
    other = "01/nm0000001_rm1_1899-5-10_1968.jpg"
    files = {
        "imdb_train_new_1024.csv": f"{header}\n{image},56,M,10,10,30,34,0,0,0\n{image},30,F,34,10,54,34,0,0,0\n",
        "imdb_valid_new_1024.csv": f"{header}\n{other},69,M,1.4,2.6,40,40,0,0,0\n",
        "imdb_valid_new.csv": f"{header}\n{other},69,M,0,0,20,20,0,0,0\n",  # of the smaller images
    }
    return Layout(
        _images(f"imdb/{image}", f"imdb/{other}") | {path: text.encode() for path, text in files.items()},
        {
            f"{image}#10,10,30,34": (56, 56, 0, -1),
            f"{image}#34,10,54,34": (30, 30, 1, -1),
            f"{other}#1,3,40,40": (69, 69, 0, -1),
        },
        parts={f"{image}#10,10,30,34": "train", f"{other}#1,3,40,40": "val"},
        subjects={f"{image}#10,10,30,34": "nm0000248"},
    )


def _imdb_wiki() -> Layout:
    def cell(values: list[str]) -> np.ndarray:
        return np.array([np.array([value]) for value in values] + [None], dtype=object)[:-1]

    born = 366 + 712_224  # Python's ordinal 712,224 is 1951-01-01
    late = born + 250  # September
    paths = ["01/a.jpg", "01/b.jpg", "01/c.jpg", "01/d.jpg", "01/e.jpg", "01/f.jpg"]
    table = {
        "full_path": cell(paths),
        "dob": np.array([born, late, born, born, born, born]),
        "photo_taken": np.array([2001, 2001, 2001, 2001, 1900, 2001]),
        "gender": np.array([1.0, 0.0, 1.0, 1.0, 1.0, np.nan]),  # 1 is male
        "face_score": np.array([3.0, 2.0, -np.inf, 3.0, 3.0, 3.0]),
        "second_face_score": np.array([np.nan, np.nan, np.nan, 1.5, np.nan, np.nan]),
    }
    mat = io.BytesIO()
    savemat(mat, {"imdb": table})
    return Layout(
        _images(*(f"imdb_crop/{path}" for path in paths)) | {"imdb_crop/imdb.mat": mat.getvalue()},
        {"a.jpg": (50, 50, 0, -1), "b.jpg": (49, 49, 1, -1)},
        {
            "unlisted_files": 4,
            "without_face_rows": 1,
            "with_second_face_rows": 1,
            "impossible_age_rows": 1,
            "without_gender_rows": 1,
        },
    )


def _celeba() -> Layout:
    attributes = "3\n5_o_Clock_Shadow Male Young\n000001.jpg -1 -1  1\n000002.jpg  1  1 -1\n000003.jpg -1  1  1\n"
    return Layout(
        _images(*(f"img_align_celeba/00000{number}.jpg" for number in (1, 2, 3)))
        | {
            "Anno/list_attr_celeba.txt": attributes.encode(),
            "Eval/list_eval_partition.txt": b"000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",
            "Anno/identity_CelebA.txt": b"000001.jpg 2880\n000002.jpg 2937\n000003.jpg 2880\n",
        },
        {"000001.jpg": (-1, -1, 1, -1), "000002.jpg": (-1, -1, 0, -1), "000003.jpg": (-1, -1, 0, -1)},
        parts={"000001.jpg": "train", "000002.jpg": "val", "000003.jpg": "test"},
        subjects={"000001.jpg": "2880", "000003.jpg": "2880"},
    )


def _lagenda() -> Layout:
    table = (
        "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1\n"
        "lag_benchmark/1.jpg,34,M,2,2,20,20,0,0,40,60\n"
        "lag_benchmark/1.jpg,25;32,F,30,2,50,22,-1,-1,-1,-1\n"
        "lag_benchmark/1.jpg,-1,-1,30,30,50,50,-1,-1,-1,-1\n"
        "lag_benchmark/2.jpg,40,F,-1,-1,-1,-1,0,0,40,60\n"
    )
    return Layout(
        _images("lag_benchmark/1.jpg", "lag_benchmark/2.jpg") | {"lagenda_annotation.csv": table.encode()},
        {"1.jpg#2,2,20,20": (34, 34, 0, -1), "1.jpg#30,2,50,22": (25, 32, 1, -1)},
        {"without_face_rows": 1, "without_label_rows": 1, "unlisted_files": 1},
    )


def _benchmark_json() -> Layout:
    entries = [
        {"img_path": "AgeDB/12_JaneDoe_35_f.jpg", "age": 35, "gender": "F", "name": "JaneDoe", "folder": 8},
        {"img_path": "AgeDB/7_John_1_m.jpg", "age": 1, "gender": "M", "name": "John", "folder": 0}
        | {"aligned_bbox": [[10, 4], [30, 10], [24, 30], [4, 24]]},
    ]
    return Layout(
        _images("AgeDB/12_JaneDoe_35_f.jpg", "AgeDB/7_John_1_m.jpg") | {"AgeDB.json": json.dumps(entries).encode()},
        {"12_JaneDoe_35_f.jpg": (35, 35, 1, -1), "7_John_1_m.jpg#4,4,30,30": (1, 1, 0, -1)},
        folds={"12_JaneDoe_35_f.jpg": 8, "7_John_1_m.jpg#4,4,30,30": 0},
        subjects={"12_JaneDoe_35_f.jpg": "JaneDoe"},
    )


def _faces_csv() -> Layout:
    table = (
        "\ufeffimage;group;gender;race;subject;split;fold\r\na/1.jpg;21-32;f;Indian;x;valid;2\r\nb/1.jpg;54+;;;;;\r\n"
    )
    return Layout(
        _images("a/1.jpg", "b/1.jpg") | {"faces.csv": table.encode()},
        {"a/1.jpg": (21, 32, 1, 3), "b/1.jpg": (54, 120, -1, -1)},
        parts={"a/1.jpg": "val"},
        folds={"a/1.jpg": 2, "b/1.jpg": -1},
        subjects={"a/1.jpg": "x", "b/1.jpg": ""},
    )


LAYOUTS: dict[str, Callable[[], Layout]] = {
    "adience": _adience,
    "afad": _afad,
    "agedb": _agedb,
    "appa_apparent": lambda: _appa(real=False),
    "appa_real": lambda: _appa(real=True),
    "benchmark_json": _benchmark_json,
    "cacd": _cacd,
    "celeba": _celeba,
    "faces_csv": _faces_csv,
    "fairface": _fairface,
    "fgnet": _fgnet,
    "imdb_clean": _imdb_clean,
    "imdb_wiki": _imdb_wiki,
    "lagenda": _lagenda,
    "morph": _morph,
}
