from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_btf.baselines import BASELINES
from napari_btf.btf import BTF
from napari_btf.codec import CompressedBTF, FitSettings, NetworkSettings, fit
from napari_btf.directions import angles_to_vectors, vectors_to_angles
from napari_btf.errors import UsageError
from napari_btf.evaluate import evaluate, psnr, psnr_over, report, seen_pairs, ssim
from napari_btf.progress import Progress, finish

Make = Callable[..., BTF]
QUICK = FitSettings(5, NetworkSettings(epochs=10))
#: Of the 20 lights of each view of `make_btf`.
HELD = 7


def trained(
    btf: BTF, held: np.ndarray | None = None, settings: FitSettings = QUICK
) -> CompressedBTF:
    return finish(fit(btf if held is None else btf.select(~held), settings=settings))


def one_view(make_btf: Make, **size: object) -> tuple[BTF, np.ndarray]:
    btf = make_btf(views=1, lights=20, **size)
    return btf, np.arange(20) % 5 == 2


def test_totals_and_directions_agree_with_single_images(make_btf: Make) -> None:
    btf = make_btf(lights=20)
    held = np.arange(60) % 20 == HELD
    model = trained(btf, held)
    found = finish(evaluate(model, btf, baselines=False))
    totals = found.scores.totals()
    assert totals["psnr"] == pytest.approx(finish(psnr_over(model, btf)))
    assert totals["psnr_seen"] == pytest.approx(finish(psnr_over(model, btf.select(~held))))
    assert totals["psnr_unseen"] == pytest.approx(finish(psnr_over(model, btf.select(held))))
    assert found.scores.seen.tolist() == (~held).tolist()

    images = np.stack([model.decode(*pair) for pair in zip(btf.light, btf.view, strict=True)])
    captured = btf.frames / 255
    similar = [ssim(a, b) for a, b in zip(images, captured, strict=True)]
    assert totals["ssim_unseen"] == pytest.approx(np.mean(np.array(similar)[held]), abs=1e-4)
    rows = found.directions()
    assert len(rows) == 60
    assert rows[27]["psnr"] == pytest.approx(psnr(images[27], captured[27]), abs=1e-3)
    assert rows[27]["ssim"] == pytest.approx(similar[27], abs=1e-4)
    assert rows[27]["seen"] is False
    assert (rows[27]["theta_l"], rows[27]["phi_l"]) == pytest.approx(
        [float(angle) for angle in vectors_to_angles(btf.light[27])], abs=1e-3
    )
    assert (rows[27]["theta_v"], rows[27]["phi_v"]) == pytest.approx((20, 0))
    error = np.abs(images - captured).mean(axis=(0, 3))
    np.testing.assert_allclose(found.error, error, atol=1e-5)


def test_sizes(make_btf: Make) -> None:
    btf = make_btf()
    model = trained(btf)
    found = finish(evaluate(model, btf, baselines=False))
    assert found.bytes_model == model.file_size
    assert found.bytes_latents == model.latent_bytes < 12 * 16 * 5 * 4
    assert found.bytes_decoder == found.bytes_model - found.bytes_latents
    assert found.bytes_capture == btf.nbytes
    summary = found.summary()
    assert summary["compression_ratio"] == round(btf.nbytes / model.file_size, 2)
    assert (summary["images"], summary["images_seen"]) == (30, 30)
    assert np.isnan(summary["psnr_unseen"])


def test_what_counts_as_seen(make_btf: Make) -> None:
    btf = make_btf(views=3)
    model = trained(btf)
    light, view = angles_to_vectors([0, 39.01, 39.03, 39, 0], [0, 274, 274, 274, 0]), btf.view[:5]
    view = np.array([view[0], view[0], view[0], angles_to_vectors(20, 180.1), btf.view[-1]])
    asked = BTF(btf.frames[:5], light, view)
    # Another light by 0.03 degrees, another view by 0.03 degrees; the last pair has both.
    assert seen_pairs(model, asked).tolist() == [True, True, False, False, True]


def test_baselines_at_the_bytes_of_the_model(make_btf: Make) -> None:
    btf, held = one_view(make_btf, height=48, width=40)
    # So large that it is worth some photographs.
    model = trained(btf, held, FitSettings(11))
    found = finish(evaluate(model, btf))
    rows = {row.name: row for row in found.baselines}
    assert list(rows) == list(BASELINES)
    for row in rows.values():
        assert row.scores is not None
        assert row.scores.seen.tolist() == (~held).tolist()
        totals = row.scores.totals()
        assert totals["psnr_unseen"] > 8
        assert totals["psnr_seen"] > totals["psnr_unseen"] - 3
    for name in ("PCA + thin-plate", "nearest", "inverse distance", "thin-plate"):
        size = rows[name].nbytes
        assert size is not None
        assert 0 < size <= found.bytes_model
    assert rows["PTM"].nbytes == 6 * 48 * 40 * 3 + 48
    assert "larger than the model" in report.table(found)


def test_baselines_do_not_see_what_is_held_out(make_btf: Make) -> None:
    btf, held = one_view(make_btf)
    model = trained(btf, held)
    spoilt = np.where(held[:, None, None, None], 255 - btf.frames, btf.frames)
    honest = finish(evaluate(model, btf)).baselines
    other = finish(evaluate(model, BTF(spoilt, btf.light, btf.view))).baselines
    for a, b in zip(honest, other, strict=True):
        assert a.scores is not None
        assert b.scores is not None
        np.testing.assert_array_equal(a.scores.mse[~held], b.scores.mse[~held])
        assert (a.scores.mse[held] != b.scores.mse[held]).all()


def test_held_out_by_the_caller(make_btf: Make) -> None:
    btf, held = one_view(make_btf)
    found = finish(evaluate(trained(btf), btf, held, baselines=False))
    assert found.scores.seen.tolist() == (~held).tolist()


def test_where_baselines_do_not_apply(make_btf: Make) -> None:
    btf = make_btf(views=3)
    model = trained(btf)
    rows = {row.name: row for row in finish(evaluate(model, btf)).baselines}
    assert [name for name, row in rows.items() if row.scores is None] == [
        "PTM",
        "HSH 9",
        "HSH 16",
        "thin-plate",
    ]
    assert rows["PTM"].summary()["psnr_seen"] is None
    assert "one view only" in rows["PTM"].note
    # Directions of its own: there is nothing to fit to.
    turned = BTF(btf.frames, btf.light[:, [1, 0, 2]], btf.view[:, [1, 0, 2]]).select(range(1, 9))
    found = finish(evaluate(model, turned))
    assert not found.scores.seen.any()
    assert {row.note for row in found.baselines} == {
        "it cannot be fitted: no direction of the capture was seen in training"
    }
    assert "it cannot be fitted" in report.table(found)


def test_radiance_is_measured_against_its_largest_value(make_btf: Make) -> None:
    made, held = one_view(make_btf)
    btf = BTF((made.frames / 255 * 9).astype(np.float32), made.light, made.view)
    model = trained(btf, held)
    found = finish(evaluate(model, btf))
    assert found.scores.peak == pytest.approx(np.log1p(btf.frames.max()))  # type: ignore[attr-defined]
    assert found.scores.totals()["psnr"] == pytest.approx(finish(psnr_over(model, btf)))
    best = max(r.scores.totals()["psnr_seen"] for r in found.baselines if r.scores is not None)
    assert best > 30


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        ({"height": 10}, "its images are 16 x 10 with 3 channels, those of the model are 16 x 12"),
        ({"channels": 1}, "16 x 12 with 1 channel, those of the model are 16 x 12 with 3 channels"),
        ({"dtype": np.float32}, "its values are float32, those of the model are uint8"),
    ],
)
def test_captures_of_another_kind(make_btf: Make, other: dict[str, object], complaint: str) -> None:
    model = trained(make_btf())
    if "dtype" in other:
        btf = make_btf()
        btf = BTF(btf.frames.astype(np.float32), btf.light, btf.view)  # type: ignore[attr-defined]
    else:
        btf = make_btf(**other)
    with pytest.raises(UsageError, match=complaint):
        finish(evaluate(model, btf))


def test_reports_rise_to_their_totals(make_btf: Make) -> None:
    btf, held = one_view(make_btf)
    model = trained(btf, held)
    reports: list[Progress] = []
    finish(evaluate(model, btf), reports.append)
    assert list(dict.fromkeys(r.phase for r in reports)) == ["evaluate", "baselines"]
    for phase in ("evaluate", "baselines"):
        steps = [(r.step, r.total) for r in reports if r.phase == phase]
        assert [s for s, _ in steps] == sorted(s for s, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_figures_per_direction_as_a_table(make_btf: Make, tmp_path: Path) -> None:
    btf, held = one_view(make_btf, height=8)
    found = finish(evaluate(trained(btf, held), btf, baselines=False))
    path = report.write_directions(found, tmp_path / "directions.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["theta_l", "phi_l", "theta_v", "phi_v", "seen", "psnr", "ssim"]
    assert [row["seen"] for row in rows] == ["0" if h else "1" for h in held]
    assert float(rows[3]["psnr"]) == pytest.approx(found.scores.psnr[3], abs=1e-3)
    # Too small for SSIM: no value, rather than a wrong one.
    assert {row["ssim"] for row in rows} == {""}


def test_the_summary_is_plain(make_btf: Make) -> None:
    btf, held = one_view(make_btf)
    found = finish(evaluate(trained(btf, held), btf))
    assert json.loads(json.dumps(found.summary()))["baselines"][0]["name"] == "PCA + thin-plate"
