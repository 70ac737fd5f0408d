import pytest

from stexplain.bench.experiment import load_experiment
from stexplain.cards import card_names, card_path
from stexplain.errors import CardError, InputError
from tests.bench import small_roads
from tests.bench.small_experiment import write_cards

BUNDLED = [
    name for name in card_names("datasets") if card_path("datasets", name).with_name("experiment.toml").is_file()
]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_experiment_is_ready_to_run(name):
    found = load_experiment(name)
    runs = found.runs(data=found.path) if found.card.planted is None else found.runs()
    for run in runs:
        order = [stage.name for stage in found.order(run.task)]
        for stage in found.order(run.task):
            assert all(order.index(need) < order.index(stage.name) for need in stage.needs(run.task))


def test_stages_that_others_need_are_added(tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    path = write_cards(tmp_path) / "experiment.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[stages.accuracy]")] + text[text.index("[stages.faithfulness]") :])
    found = load_experiment(path.parent)
    assert list(found.stages) == ["train", "accuracy", "class_importance", "faithfulness", "localisation"]
    assert found.added == dict.fromkeys(("train", "accuracy", "class_importance"), "faithfulness")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('protocol = "xview"', 'protocol = "xviev"', r"runs\.xviev/small: protocol: got 'xviev'.*you mean 'xview'"),
        ('model = "small"', 'model = "smal"', "there is no model card 'smal'. Did you mean 'small'"),
        ('real = "quick"', 'real = "quik"', "no recipe 'quik'. Did you mean 'quick'"),
        ('[recipes]\nplanted = "quick"\nreal = "quick"', "", r"'xview/small' has no recipe. .* \[recipes\]"),
        ("faithfulness = 0.5", "faithfulnes = 0.5", "no stage shows 'faithfulnes'. Did you mean 'faithfulness'"),
        ("[stages.accuracy]", "[stages.acuracy]", r"stages\.acuracy: there is no such stage. Did you mean 'accuracy'"),
        ("[stages.accuracy]", "[stages.deletion]", r"deletion: is for forecasting; .* has runs of classification"),
        ('classes = ["left up"]', 'classes = ["left op"]', r"examples\.classes: got 'left op'.*mean 'left up'"),
        ("class_importance]", 'class_importance]\nnodes = ["n99"]', r"class_importance\.nodes: got 'n99'"),
        ('"zero", "mean"', '"zero", "meen"', r"stages\.faithfulness\.baselines: unknown baseline 'meen'"),
        ("values = [0.5, 1.0]", "values = [0.5, 1.5]", r"stages\.faithfulness\.values\.1.*1\.5"),
        ("values = [0.5, 1.0]", "values = [1.0, 0.5]", r"stages\.faithfulness\.values: masking: .*ascending order"),
        ("nodes = 3", "nodos = 3", r"stages\.faithfulness\.nodos: there is no such field. Did you mean 'nodes'"),
        ("title =", "titel =", r"titel: there is no such field. Did you mean 'title'"),
        ("title =", "title", "is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_experiment_says_where_and_what(tmp_path, monkeypatch, old, new, message):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    path = write_cards(tmp_path) / "experiment.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CardError, match=message) as caught:
        load_experiment(path.parent)
    assert "experiment.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fall = 15.0", "fall = -1.0", r"stages\.events\.fall.*-1"),
        ("horizons = [3, 6]", "horizons = []", r"stages\.forecast_error\.horizons"),
        ("[stages.deletion]", "[stages.deletions]", "deletions: there is no such stage. Did you mean 'deletion'"),
        ("[stages.deletion]", "[stages.accuracy]", "is for classification; the experiment has runs of forecasting"),
        ('model = "lane-stgcn"', 'model = "lane-stgcn"\nprotocol = "xsub"', "the series 'lane' is split by time"),
    ],
)
def test_a_wrong_experiment_on_a_series_says_where_and_what(tmp_path, monkeypatch, old, new, message):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    path = small_roads.write_cards(tmp_path) / "experiment.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CardError, match=message):
        load_experiment(path.parent)


def test_all_problems_are_reported_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    path = write_cards(tmp_path) / "experiment.toml"
    path.write_text(path.read_text().replace("left up", "left op").replace("[stages.accuracy]", "[stages.acuracy]"))
    with pytest.raises(CardError, match="2 problems:\n  stages.acuracy.*\n  stages.examples"):
        load_experiment(path.parent)


def test_without_a_planted_event_a_fall_must_be_given(tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    folder = small_roads.write_cards(tmp_path)
    path = folder / "experiment.toml"
    path.write_text(path.read_text().replace("fall = 15.0\n", ""))
    found = load_experiment(folder)
    with pytest.raises(CardError, match=r"stages\.events\.fall: got none; expected a number"):
        found.check(found.runs(data=tmp_path))
    found.check(found.runs())


def test_two_runs_of_one_name(tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    path = write_cards(tmp_path) / "experiment.toml"
    path.write_text(path.read_text().replace("[recipes]", '[[runs]]\nprotocol = "xview"\nmodel = "small"\n[recipes]'))
    with pytest.raises(CardError, match="got two runs with the name 'xview/small'"):
        load_experiment(path.parent)


def test_an_unknown_run(tmp_path, monkeypatch):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    with pytest.raises(InputError, match="unknown run 'lane-stgc'. Did you mean 'lane-stgcn'"):
        load_experiment(small_roads.write_cards(tmp_path)).runs(["lane-stgc"])


def test_a_card_without_an_experiment(tmp_path):
    folder = write_cards(tmp_path)
    (folder / "experiment.toml").unlink()
    with pytest.raises(
        CardError, match=r"experiment\.toml is missing.*another's.*--card \S+ --data DIR`, NAME one of ntu, "
    ):
        load_experiment(folder)
