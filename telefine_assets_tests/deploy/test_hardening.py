"""Images are pinned, nothing runs as root or holds a secret, and nothing more is open than must be."""

import re

import pytest

from telefine_assets_tests.deploy.files import DEPLOY, ROOT, common, compose, manifests, ours, pods, units, values

TEXTS = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and path.suffix not in (".lock", ".json")]
BUCKET = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+[\w.-]*$")
SECRET = re.compile(
    r"0x[0-9a-fA-F]{64}|AKIA[0-9A-Z]{16}|-----BEGIN|://[^/\s:{}]+:(?!\$)[^@\s$]+@"
    r"|(?i:password|secret|token|api_key)['\"]?[ \t]*[:=][ \t]*['\"]?(?!\s|$|\$|\{|postgres-?ql|telefine)[\w+/]{6,}"
)


def test_every_image_is_pinned_to_a_release():
    named = [each["image"] for each in compose()["services"].values()]
    named = [re.sub(r"^\$\{TELEFINE_IMAGE:-(.*)\}$", r"\1", image) for image in named]
    named += [each["image"] for _, pod in pods() for each in pod["containers"]]
    named += re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.M)
    named.append("{repository}:{tag}".format(**values()["dagsterWebserver"]["image"]))
    assert len(named) > 10
    assert [image for image in named if not PINNED.fullmatch(image)] == []


def test_the_search_for_secrets_finds_some():
    for leaked in ("password: hunter2hunter2", "postgresql://me:pass@db/x", "API_KEY=sk1234567", "0x" + "a1" * 32):
        assert SECRET.search(leaked), leaked


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_no_file_holds_a_secret(path):
    assert SECRET.search(path.read_text()) is None


def test_what_goes_into_the_image_is_hash_locked_and_agrees_with_what_is_tested():
    def pins(path):
        found = {}
        for name, release in re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", path.read_text(), re.M):
            found.setdefault(name, set()).add(release)
        return found

    deployed, tested = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert {"dagster", "dagster-celery", "dagster-k8s", "dagster-postgres", "mlflow", "s3fs", "boto3"} <= {*deployed}
    assert not {"pytest", "moto", "ruff", "mypy", "playwright", "xllamacpp"} & {*deployed}
    # What is tested is locked for several releases of Python.
    assert {name: each for name, each in deployed.items() if not each <= tested.get(name, each)} == {}
    text = (DEPLOY / "requirements.lock").read_text()
    assert text.count(" \\\n    --hash=sha256:") >= len(deployed)
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()


def test_the_image_runs_as_nobody_special_and_is_made_of_the_package_alone():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert {source for sources in copied for source in sources} == allowed
    assert all((ROOT / source).exists() for source in allowed)


def test_containers_of_compose_have_no_rights_they_do_not_need():
    for name, each in compose()["services"].items():
        assert "no-new-privileges:true" in each["security_opt"], name
        assert each.get("healthcheck") or name in ("api", "worker"), name  # the image brings the API's
        assert name == "bucket" or each["deploy"]["resources"]["limits"]["memory"], name
    for each in ours().values():
        assert each["read_only"] and each["cap_drop"] == ["ALL"] and each["user"] == "10001:10001"
    assert compose()["networks"]["data"]["internal"]
    for store in ("postgres", "redis", "s3"):
        assert compose()["services"][store]["networks"] == ["data"] and "ports" not in compose()["services"][store]


def test_mlflow_and_the_bucket_have_the_keys_of_database_and_bucket_and_no_others():
    for name in ("mlflow", "bucket"):
        each = ours()[name]
        assert each["env_file"] == [] and not any("TELEFINE_FOLDER" in volume for volume in each["volumes"]), name
        filled = re.findall(r"\$\{(\w+)", str(each["environment"]))
        assert {*filled} - {"TELEFINE_MLFLOW__TRACKING_URI"} == BUCKET, name
    (inner,) = dict(pods())["mlflow"]["containers"]
    keys = {each["valueFrom"]["secretKeyRef"]["key"] for each in inner["env"] if "valueFrom" in each}
    assert "envFrom" not in inner and keys == {*BUCKET, "AWS_ENDPOINT_URL", "TELEFINE_MLFLOW__TRACKING_URI"}


def test_pods_have_no_rights_they_do_not_need():
    for name, pod in [*pods(), *((each["name"], each) for each in values()["dagster-user-deployments"]["deployments"])]:
        allowed = pod.get("securityContext" if "containers" in pod else "podSecurityContext")
        assert allowed["runAsNonRoot"] and allowed["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for each in pod.get("containers", [pod]):
            inner = each["securityContext"]
            assert inner["readOnlyRootFilesystem"] and not inner["allowPrivilegeEscalation"], name
            assert inner["capabilities"] == {"drop": ["ALL"]} and each["resources"]["limits"]["memory"], name
    # Only what Dagster's chart brings talks to Kubernetes.
    assert all(pod["automountServiceAccountToken"] is False for _, pod in pods())


def test_what_selects_pods_selects_some():
    labels = {}
    for each in manifests():
        if each["kind"] == "Deployment":
            labels[each["metadata"]["name"]] = each["spec"]["template"]["metadata"]["labels"]
    selecting = [each for each in manifests() if each["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy")]
    assert len(selecting) == 5
    for each in selecting:
        wanted = each["spec"].get("selector", each["spec"].get("podSelector", {}))
        wanted = wanted.get("matchLabels", wanted).items()
        assert any(wanted <= found.items() for found in labels.values()), each["metadata"]["name"]


def test_units_run_what_the_image_runs():
    image = (DEPLOY / "Dockerfile").read_text()
    for each in common()["Environment"]:
        assert each.split("=", 1)[0] in image and each.split("=", 1)[1] in image, each
    assert {"telefine-api", "telefine-daemon", "telefine-webserver"} <= {path.stem for path in units()}
    wanted = (DEPLOY / "systemd" / "telefine.target").read_text()
    there = {path.name for path in (DEPLOY / "systemd").iterdir()}
    assert set(re.findall(r"telefine-[\w-]+\.(?:service|timer)", wanted)) <= there
