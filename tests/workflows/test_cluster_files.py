"""cluster.yaml and kubernetes.yaml: Ray's own validation, and the faults that only a cloud would find."""

import copy
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for
from ray.autoscaler._private.util import prepare_config, validate_config
from rayjob_schema import RAYJOB

from translearn.cluster.resources import plan_resources
from translearn.config import load_spec

ROOT = Path(__file__).parents[2]

# What Ray 2.60's AWS node provider reads of `provider`; its schema lets any other key through.
PROVIDER_KEYS = (
    "type region availability_zone cache_stopped_nodes use_internal_ips use_external_head_ip key_pair "
    "security_group cloudwatch aws_credentials disable_node_updaters"
)
# Parameters of EC2 RunInstances (botocore 1.44) that fit a node_config, and the fields of those that nest.
EC2_KEYS = {
    "": "BlockDeviceMappings CapacityReservationSpecification CpuOptions EbsOptimized IamInstanceProfile ImageId "
    "InstanceMarketOptions InstanceType KeyName LaunchTemplate MetadataOptions Monitoring NetworkInterfaces "
    "Placement SecurityGroupIds SubnetId SubnetIds TagSpecifications UserData",
    "BlockDeviceMappings": "DeviceName Ebs NoDevice VirtualName",
    "Ebs": "DeleteOnTermination Encrypted Iops KmsKeyId SnapshotId Throughput VolumeSize VolumeType",
    "IamInstanceProfile": "Arn Name",
    "InstanceMarketOptions": "MarketType SpotOptions",
    "SpotOptions": "InstanceInterruptionBehavior MaxPrice SpotInstanceType ValidUntil",
    "MetadataOptions": "HttpEndpoint HttpProtocolIpv6 HttpPutResponseHopLimit HttpTokens InstanceMetadataTags",
}


def unknown_keys(tree: Any, known: dict[str, str], name: str, path: str = "") -> Iterator[str]:
    """The paths of the keys of `tree` and below that `known` does not list under their parent's name."""
    if isinstance(tree, list):
        for item in tree:
            yield from unknown_keys(item, known, name, path)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            here = f"{path}.{key}".lstrip(".")
            if name in known and key not in known[name].split():
                yield here
            yield from unknown_keys(value, known, key, here)


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "workflows/kubernetes.yaml").read_text()))


@pytest.fixture(scope="module")
def rayjob(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return next(manifest for manifest in manifests if manifest["kind"] == "RayJob")["spec"]


def node_configs(cluster: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: node["node_config"] for name, node in cluster["available_node_types"].items()}


def pods(rayjob: dict[str, Any]) -> list[dict[str, Any]]:
    spec = rayjob["rayClusterSpec"]
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


def pinned(package: str) -> str:
    found = re.search(rf"^{package}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_ray_accepts_the_cluster_file(cluster: dict[str, Any]) -> None:
    validate_config(prepare_config(copy.deepcopy(cluster)))


def test_ray_would_refuse_a_misspelt_key(cluster: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError, match="max_wokers"):
        validate_config(prepare_config({**copy.deepcopy(cluster), "max_wokers": 2}))


def test_provider_and_node_configs_have_known_keys_only(cluster: dict[str, Any]) -> None:
    assert set(cluster["provider"]) <= set(PROVIDER_KEYS.split())
    for name, config in node_configs(cluster).items():
        assert list(unknown_keys(config, EC2_KEYS, "", name)) == []


def test_a_misspelt_ec2_key_is_found() -> None:
    config = {"ImageId": "a", "BlockDeviceMappings": [{"Ebs": {"VolumSize": 1}}], "InstanceMarketOption": {}}
    found = list(unknown_keys(config, EC2_KEYS, ""))
    assert found == ["BlockDeviceMappings.Ebs.VolumSize", "InstanceMarketOption"]


def test_head_is_on_demand_and_offers_nothing_to_trials(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]


def chosen(cluster: dict[str, Any], num_nodes: int) -> dict[str, int]:
    """The nodes that Ray's autoscaler would add for so many trials that fill one each, by type."""
    scorer = partial(_default_utilization_scorer, node_availability_summary=NodeAvailabilitySummary({}))
    types, head = cluster["available_node_types"], cluster["head_node_type"]
    asked = [{"CPU": 48, "GPU": 4}] * num_nodes
    nodes, left = get_nodes_for(types, {head: 1}, head, cluster["max_workers"], asked, scorer)
    assert left == []
    return dict(nodes)


def test_spot_is_preferred_and_on_demand_is_its_equal(cluster: dict[str, Any]) -> None:
    nodes = {name: node for name, node in cluster["available_node_types"].items() if name != cluster["head_node_type"]}
    market = {
        name: node["node_config"].get("InstanceMarketOptions", {}).get("MarketType") for name, node in nodes.items()
    }
    assert sorted(market.values(), key=str) == [None, "spot"]
    (first,) = {**chosen(cluster, 1)}
    assert market[first] == "spot"
    # All the spot nodes that there may be, and then the others.
    assert chosen(cluster, 6) == {name: node["max_workers"] for name, node in nodes.items()}
    assert len({str(node["resources"]) for node in nodes.values()}) == 1
    assert sum(node["max_workers"] for node in nodes.values()) <= cluster["max_workers"]


def test_a_study_waits_for_the_first_node_and_fits_on_it(cluster: dict[str, Any]) -> None:
    spec = load_spec(ROOT / "workflows/configs/cluster.yaml").cluster
    types, head = cluster["available_node_types"], cluster["head_node_type"]
    nodes = {name: node for name, node in types.items() if name != head}
    assert {node["min_workers"] for node in nodes.values()} == {0}
    assert spec.wait_for_nodes_s >= 600
    for node in nodes.values():
        assert plan_resources(spec, [types[head]["resources"], node["resources"]]).concurrent_trials >= 1


def test_no_node_gets_the_security_group_that_ray_would_open_to_the_world(cluster: dict[str, Any]) -> None:
    assert all(config["SecurityGroupIds"] for config in node_configs(cluster).values())
    assert "security_group" not in cluster["provider"]
    assert "0.0.0.0" not in (ROOT / "cluster.yaml").read_text()


def test_every_node_has_a_role_a_pinned_image_and_an_encrypted_disk(cluster: dict[str, Any]) -> None:
    for config in node_configs(cluster).values():
        assert config["IamInstanceProfile"]["Name"]
        assert config["ImageId"].startswith("ami-")
        assert config["MetadataOptions"] == {"HttpTokens": "required"}
        assert all(disk["Ebs"]["Encrypted"] for disk in config["BlockDeviceMappings"])


def test_every_placeholder_is_marked_with_change() -> None:
    lines = (ROOT / "cluster.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.search(r"-0{17}|Name: translearn-", line):
            assert "CHANGE" in line or any("CHANGE" in above for above in lines[max(0, number - 5) : number]), line


def test_ray_starts_with_token_authentication_and_a_local_dashboard(cluster: dict[str, Any]) -> None:
    head, worker = cluster["head_start_ray_commands"][-1], cluster["worker_start_ray_commands"][-1]
    assert "--dashboard-host=127.0.0.1" in head
    for command in (head, worker):
        assert "RAY_AUTH_MODE=token" in command
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


def test_nodes_get_all_that_the_set_up_reads(cluster: dict[str, Any]) -> None:
    mounts = {remote: local for remote, local in cluster["file_mounts"].items() if "/.ray/" not in remote}
    assert {remote: f"~/translearn/{local}" for remote, local in mounts.items()} == {
        remote: remote for remote in mounts
    }
    assert all((ROOT / local).exists() for local in mounts.values())
    assert set(mounts.values()) >= {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "scripts",
        "translearn",
    }
    assert "sh ~/translearn/scripts/setup.sh" in cluster["setup_commands"]


def complaints(rayjob: dict[str, Any]) -> list[str]:
    """Where and why a RayJob does not fit the schema of what is used of it."""
    errors = jsonschema.Draft7Validator(RAYJOB).iter_errors(rayjob)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def test_rayjob_fits_the_schema_of_what_it_uses(manifests: list[dict[str, Any]]) -> None:
    assert complaints(next(manifest for manifest in manifests if manifest["kind"] == "RayJob")) == []


def test_wrong_rayjobs_do_not_fit(manifests: list[dict[str, Any]]) -> None:
    wrong = copy.deepcopy(next(manifest for manifest in manifests if manifest["kind"] == "RayJob"))
    cluster = wrong["spec"]["rayClusterSpec"]
    cluster["authOption"] = cluster.pop("authOptions")
    cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    cluster["workerGroupSpecs"][0]["minReplicas"] = "1"
    del cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["image"]
    assert sorted(complaints(wrong)) == [
        "spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus: 0 is not of type 'string'",
        "spec.rayClusterSpec.workerGroupSpecs.0.minReplicas: '1' is not of type 'integer'",
        "spec.rayClusterSpec.workerGroupSpecs.0.template.spec.containers.0: 'image' is a required property",
        "spec.rayClusterSpec: Additional properties are not allowed ('authOption' was unexpected)",
    ]


def strict(schema: Any) -> Any:
    """A resource's schema that takes no other keys than it lists; kubectl's strict validation does the same."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {}
    closed = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.mark.skipif("RAYJOB_CRD" not in os.environ, reason="RAYJOB_CRD names no file: KubeRay's schema has 1.4 MB")
def test_rayjob_fits_the_published_schema(manifests: list[dict[str, Any]]) -> None:
    definition = yaml.load(Path(os.environ["RAYJOB_CRD"]).read_text(), yaml.CSafeLoader)
    version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
    validator = jsonschema.Draft7Validator(strict(version["schema"]["openAPIV3Schema"]))
    rayjob = next(manifest for manifest in manifests if manifest["kind"] == "RayJob")
    assert [error.message for error in validator.iter_errors(rayjob)] == []
    wrong = copy.deepcopy(rayjob)
    wrong["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    assert ["maxReplica" in error.message for error in validator.iter_errors(wrong)] == [True]


def test_rayjob_authenticates_ends_and_cleans_up(rayjob: dict[str, Any]) -> None:
    assert rayjob["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert rayjob["rayClusterSpec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert rayjob["shutdownAfterJobFinishes"] is True
    assert rayjob["ttlSecondsAfterFinished"] < rayjob["activeDeadlineSeconds"]


def test_rayjob_runs_the_pinned_ray_with_trials_on_gpu_workers_only(rayjob: dict[str, Any]) -> None:
    spec = rayjob["rayClusterSpec"]
    assert spec["rayVersion"] == pinned("ray")
    assert f"rayproject/ray:{pinned('ray')}-" in (ROOT / "workflows/kubernetes.yaml").read_text()
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (group,) = spec["workerGroupSpecs"]
    assert 0 == group["minReplicas"] == group["replicas"] < group["maxReplicas"]
    resources = group["template"]["spec"]["containers"][0]["resources"]
    assert resources["limits"] == resources["requests"]
    assert int(resources["limits"]["nvidia.com/gpu"]) > 1


def test_the_study_of_the_rayjob_waits_for_the_first_pod_and_fits_on_it(rayjob: dict[str, Any]) -> None:
    (group,) = rayjob["rayClusterSpec"]["workerGroupSpecs"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    pod = {"CPU": float(limits["cpu"]), "GPU": float(limits["nvidia.com/gpu"])}
    sets = re.findall(r"--set (\S+)", rayjob["entrypoint"])
    spec = load_spec(ROOT / "workflows/configs/demo.yaml", sets).cluster
    assert spec.wait_for_nodes_s >= 600
    assert plan_resources(spec, [{"CPU": 0.0}, pod]).concurrent_trials == 4


def test_the_image_is_built_of_the_project_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "data", "runs"} <= set(ignored)
    kept = ("translearn", "workflows", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
    assert not set(kept) & set(ignored)


def test_every_pod_has_the_same_image_and_the_claimed_storage(
    rayjob: dict[str, Any], manifests: list[dict[str, Any]]
) -> None:
    claim = next(manifest for manifest in manifests if manifest["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    storage = re.search(r"storage=(\S+)", rayjob["entrypoint"])
    assert storage
    for pod in pods(rayjob):
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": storage[1]}]
        assert container["image"] == pods(rayjob)[0]["containers"][0]["image"]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False}


def test_entry_point_names_files_of_the_repository(rayjob: dict[str, Any]) -> None:
    named = re.findall(r"/home/ray/translearn/(\S+)", rayjob["entrypoint"])
    assert named == ["workflows/run.py", "workflows/configs/demo.yaml"]
    assert all((ROOT / path).exists() for path in named)


def test_ray_accepts_the_on_premise_variant_of_the_cluster_file() -> None:
    (block,) = re.findall(r"```yaml launcher\n(.*?)```", (ROOT / "docs/cluster.md").read_text(), re.DOTALL)
    variant, text = yaml.safe_load(block), (ROOT / "cluster.yaml").read_text()
    lower_part = yaml.safe_load(text[text.index("# What the environment is made of.") :])
    prepared = prepare_config({**lower_part, **variant})
    validate_config(prepared)
    (node,) = prepared["available_node_types"].values()
    assert node["min_workers"] == node["max_workers"] == len(variant["provider"]["worker_ips"])
    assert prepared["setup_commands"][1] == "sh ~/translearn/scripts/setup.sh"
    (start,) = prepared["head_start_ray_commands"][1:]
    for words in ("RAY_AUTH_MODE=token", "--dashboard-host=127.0.0.1", "--num-cpus=0 --num-gpus=0"):
        assert words in start
