from pipelines.cluster.phases import definitions, deployments, phases, serving_namespaces


def item(kind: str, name: str, api: str = "v1", **rest: object) -> dict[str, object]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "somewhere"}, **rest}


DEFINITION = item(
    "CustomResourceDefinition",
    "workflowtemplates.argoproj.io",
    "apiextensions.k8s.io/v1",
    spec={"group": "argoproj.io", "names": {"kind": "WorkflowTemplate"}},
)
SERVING: dict[str, object] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "iris-staging", "labels": {"mainline.dev/role": "serving"}},
}
BUILT: list[dict[str, object]] = [
    item("WorkflowTemplate", "apply", "argoproj.io/v1alpha1"),
    item("Deployment", "mlflow", "apps/v1"),
    item("Secret", "token"),
    item("CronWorkflow", "reconcile", "argoproj.io/v1alpha1"),
    SERVING,
    DEFINITION,
]


def test_what_others_are_named_by_comes_first_and_what_runs_after_its_rights() -> None:
    order = phases(BUILT)
    assert [each["kind"] for each in order.first] == ["Namespace", "CustomResourceDefinition"]
    assert [each["kind"] for each in order.rights] == ["Secret"]
    assert [each["kind"] for each in order.running] == ["Deployment"]
    assert [each["kind"] for each in order.own] == ["WorkflowTemplate"]


def test_every_object_is_in_one_phase() -> None:
    order = phases(BUILT)
    parts = (*order.first, *order.rights, *order.running, *order.own, *order.last)
    assert sorted(map(id, BUILT)) == sorted(map(id, parts))


def test_argos_kinds_are_its_own_wherever_they_were_defined() -> None:
    template = item("WorkflowTemplate", "apply", "argoproj.io/v1alpha1")
    assert phases([template]).own == (template,)


def test_what_starts_by_the_clock_comes_after_what_it_starts() -> None:
    template = item("WorkflowTemplate", "reconcile", "argoproj.io/v1alpha1")
    schedule = item("CronWorkflow", "reconcile", "argoproj.io/v1alpha1")
    order = phases([schedule, template])
    assert (order.own, order.last) == ((template,), (schedule,))


def test_a_kind_of_another_group_is_no_kind_of_ours() -> None:
    theirs = item("WorkflowTemplate", "theirs", "example.org/v1")
    assert phases([DEFINITION, theirs]).rights == (theirs,)


def test_what_is_waited_for_and_who_gets_the_stores_secret_is_read_from_the_build() -> None:
    assert definitions(BUILT) == ["workflowtemplates.argoproj.io"]
    assert deployments(BUILT) == [("somewhere", "mlflow")]
    assert serving_namespaces(BUILT) == ["iris-staging"]
