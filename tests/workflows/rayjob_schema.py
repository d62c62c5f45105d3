"""What kubernetes.yaml uses of KubeRay's RayJob (ray.io/v1), as a JSON schema: names, types, and what must be there.

Written by hand from KubeRay's documentation. The published one is a megabyte; see test_cluster_files.py.
"""

from __future__ import annotations

from typing import Any


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with no other properties than these."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


_TEXT, _FLAG, _COUNT = {"type": "string", "minLength": 1}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^[0-9]+(m|[KMGT]i?)?$"}}
_CONTAINER = _object(
    "name image",
    name=_TEXT,
    image=_TEXT,
    resources=_object(requests=_QUANTITIES, limits=_QUANTITIES),
    ports=_list(_object("containerPort", containerPort=_COUNT, name=_TEXT)),
    securityContext=_object(allowPrivilegeEscalation=_FLAG),
    volumeMounts=_list(_object("name mountPath", name=_TEXT, mountPath=_TEXT)),
)
_POD = _object(
    "spec",
    spec=_object(
        "containers",
        containers=_list(_CONTAINER),
        securityContext=_object(fsGroup=_COUNT),
        volumes=_list(_object("name", name=_TEXT, persistentVolumeClaim=_object("claimName", claimName=_TEXT))),
        tolerations=_list(_object(key=_TEXT, operator={"enum": ["Exists", "Equal"]}, effect=_TEXT)),
    ),
)
_HEAD = _object(
    "rayStartParams template",
    serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    rayStartParams=_TEXTS,
    template=_POD,
)
_WORKERS = _object(
    "groupName minReplicas maxReplicas template",
    groupName=_TEXT,
    replicas=_COUNT,
    minReplicas=_COUNT,
    maxReplicas=_COUNT,
    rayStartParams=_TEXTS,
    template=_POD,
)
_CLUSTER = _object(
    "headGroupSpec",
    rayVersion=_TEXT,
    authOptions=_object(mode={"enum": ["disabled", "token"]}),
    enableInTreeAutoscaling=_FLAG,
    autoscalerOptions=_object(
        idleTimeoutSeconds=_COUNT, upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]}
    ),
    headGroupSpec=_HEAD,
    workerGroupSpecs=_list(_WORKERS),
)
RAYJOB = _object(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=_object("name", name=_TEXT),
    spec=_object(
        "entrypoint rayClusterSpec",
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        entrypoint=_TEXT,
        runtimeEnvYAML=_TEXT,
        shutdownAfterJobFinishes=_FLAG,
        ttlSecondsAfterFinished=_COUNT,
        activeDeadlineSeconds=_COUNT,
        backoffLimit=_COUNT,
        rayClusterSpec=_CLUSTER,
    ),
)
