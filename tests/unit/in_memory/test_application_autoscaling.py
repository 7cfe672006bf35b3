# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import botocore.client
import pytest
from ansible_collections.pulsegrid.aws.plugins.modules import application_autoscaling as scaling

RESOURCE = {"resource_id": "service/shop/shop"}
WHERE = {"ServiceNamespace": "ecs", "ResourceId": "service/shop/shop", "ScalableDimension": "ecs:service:DesiredCount"}
CPU = {"name": "cpu", "metric": "ECSServiceAverageCPUUtilization", "target_value": 60}
NIGHT = {"name": "night", "schedule": "cron(0 22 * * ? *)", "timezone": "Europe/Berlin", "min_capacity": 1, "max_capacity": 1}


@pytest.fixture
def options(cloud):
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "app", "image": "shop", "memory": 128}])
    ecs.create_service(cluster="shop", serviceName="shop", taskDefinition="shop", desiredCount=3)
    return RESOURCE | {"min_capacity": 2, "max_capacity": 10, "target_tracking_policies": [CPU], "scheduled_actions": [NIGHT]}


def found(cloud):
    client = cloud.client("application-autoscaling")
    (target,) = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    policies = client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    actions = client.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    return (
        (target["MinCapacity"], target["MaxCapacity"]),
        {policy["PolicyName"]: policy["TargetTrackingScalingPolicyConfiguration"] for policy in policies},
        {action["ScheduledActionName"]: action for action in actions},
    )


def test_scaling_is_set_up_once(cloud, options) -> None:
    predicted = cloud.run(scaling, check=True, **options)
    assert predicted["changed"]
    assert cloud.mutations == []
    assert cloud.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []

    assert cloud.run(scaling, **options)["scaling"]["min_capacity"] == 2
    assert cloud.mutations == ["RegisterScalableTarget", "PutScalingPolicy", "PutScheduledAction"]
    assert not cloud.run(scaling, **options)["changed"]
    assert cloud.mutations == []
    capacity, policies, actions = found(cloud)
    assert capacity == (2, 10)
    assert policies["cpu"]["TargetValue"] == 60
    assert policies["cpu"]["PredefinedMetricSpecification"] == {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    assert (policies["cpu"]["ScaleInCooldown"], policies["cpu"]["ScaleOutCooldown"]) == (300, 60)
    assert actions["night"]["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 1}
    assert actions["night"]["Timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("change", "mutations"),
    [
        ({"max_capacity": 12}, ["RegisterScalableTarget"]),
        ({"target_tracking_policies": [CPU | {"target_value": 50}]}, ["PutScalingPolicy"]),
        ({"target_tracking_policies": [CPU | {"disable_scale_in": True}]}, ["PutScalingPolicy"]),
        ({"target_tracking_policies": []}, ["DeleteScalingPolicy"]),
        ({"scheduled_actions": []}, ["DeleteScheduledAction"]),
        ({"scheduled_actions": [NIGHT | {"timezone": "UTC"}]}, ["DeleteScheduledAction", "PutScheduledAction"]),
    ],
)
def test_scaling_is_changed_in_place(cloud, options, change, mutations) -> None:
    cloud.run(scaling, **options)
    assert cloud.run(scaling, check=True, **options | change)["changed"]
    assert cloud.mutations == []
    outcome = cloud.run(scaling, **options | change)
    assert outcome["changed"]
    assert cloud.mutations == mutations
    assert outcome["diff"]["before"] != outcome["diff"]["after"]
    assert not cloud.run(scaling, **options | change)["changed"]


def test_a_capacity_that_is_no_longer_asked_for_goes(cloud, options) -> None:
    cloud.run(scaling, **options)
    less = {"scheduled_actions": [{key: value for key, value in NIGHT.items() if key != "min_capacity"}]}
    assert cloud.run(scaling, **options | less)["changed"]
    assert found(cloud)[2]["night"]["ScalableTargetAction"] == {"MaxCapacity": 1}
    assert not cloud.run(scaling, **options | less)["changed"]


def test_what_a_scheduled_action_has_set_stays(cloud, options) -> None:
    cloud.run(scaling, **options)
    client = cloud.client("application-autoscaling")
    client.register_scalable_target(**WHERE, MinCapacity=1, MaxCapacity=1)  # as the action does when its time comes
    assert not cloud.run(scaling, **options)["changed"]
    client.register_scalable_target(**WHERE, MinCapacity=1, MaxCapacity=7)
    assert cloud.run(scaling, **options)["changed"]
    assert found(cloud)[0] == (2, 10)


def test_step_scaling_and_suspended_scaling_of_others_stay(cloud, options) -> None:
    cloud.run(scaling, **options)
    client = cloud.client("application-autoscaling")
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}
    client.put_scaling_policy(**WHERE, PolicyName="theirs", PolicyType="StepScaling", StepScalingPolicyConfiguration=step)
    client.register_scalable_target(**WHERE, SuspendedState={"DynamicScalingInSuspended": True})
    assert not cloud.run(scaling, **options)["changed"]
    assert cloud.run(scaling, **options | {"max_capacity": 11})["changed"]
    assert len(client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]) == 2
    (target,) = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert target["SuspendedState"]["DynamicScalingInSuspended"]


def test_the_desired_count_is_never_set(cloud, options) -> None:
    cloud.run(scaling, **options)
    (service,) = cloud.client("ecs").describe_services(cluster="shop", services=["shop"])["services"]
    assert service["desiredCount"] == 3


def test_requests_are_counted_by_load_balancer_and_target_group(cloud, options) -> None:
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    balancer = elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="shop", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    requests = {"name": "requests", "metric": "ALBRequestCountPerTarget", "target_value": 1000, "target_group_arn": group}
    options = options | {"target_tracking_policies": [CPU, requests]}

    assert "no load balancer forwards to" in cloud.run(scaling, fails=True, **options)["msg"]
    assert cloud.mutations == []
    assert cloud.run(scaling, check=True, **options)["changed"]

    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    assert cloud.run(scaling, **options)["changed"]
    label = found(cloud)[1]["requests"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label == f"{balancer.split('loadbalancer/')[1]}/{group.split(':')[-1]}"
    assert label.startswith("app/shop/")
    assert "/targetgroup/shop/" in label
    assert not cloud.run(scaling, **options)["changed"]


def test_a_service_that_is_not_there_fails_after_a_while(cloud, monkeypatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("time.monotonic", lambda: sum(waited))
    cloud.client("ecs").create_cluster(clusterName="shop")
    failure = cloud.run(scaling, fails=True, **RESOURCE, min_capacity=1, max_capacity=2)
    assert failure["msg"] == "Scaling of service/shop/shop: not known to Application Auto Scaling after 60 s"
    assert cloud.run(scaling, check=True, **RESOURCE, min_capacity=1, max_capacity=2)["changed"]


def test_scaling_is_removed_once_with_its_alarms(cloud, options) -> None:
    cloud.run(scaling, **options)
    assert cloud.run(scaling, check=True, **RESOURCE, state="absent")["changed"]
    assert cloud.mutations == []
    assert cloud.run(scaling, **RESOURCE, state="absent")["changed"]
    assert cloud.mutations == ["DeleteScalingPolicy", "DeleteScheduledAction", "DeregisterScalableTarget"]
    client = cloud.client("application-autoscaling")
    assert client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert client.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
    assert cloud.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert not cloud.run(scaling, **RESOURCE, state="absent")["changed"]
    assert cloud.mutations == []


def keep_tags(monkeypatch) -> dict[str, str]:
    """The tags of the scalable target, which moto does not keep."""
    tags: dict[str, str] = {}
    call = botocore.client.BaseClient._make_api_call

    def keeping(client, operation, parameters):
        if operation == "RegisterScalableTarget":
            tags.update(parameters.get("Tags", {}))
        elif operation == "ListTagsForResource":
            return {"Tags": dict(tags)}
        elif operation == "TagResource":
            tags.update(parameters["Tags"])
            return {}
        elif operation == "UntagResource":
            for key in parameters["TagKeys"]:
                del tags[key]
            return {}
        return call(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", keeping)
    return tags


def test_tags_are_set_and_those_of_others_stay(cloud, options, monkeypatch) -> None:
    tags = keep_tags(monkeypatch)
    options |= {"tags": {"a": "1"}, "purge_tags": False}
    cloud.run(scaling, **options)
    assert tags == {"a": "1"}
    tags["theirs"] = "2"
    assert not cloud.run(scaling, **options)["changed"]
    assert cloud.run(scaling, check=True, **options | {"tags": {"a": "3"}})["changed"]
    assert tags == {"a": "1", "theirs": "2"}
    assert cloud.run(scaling, **options | {"tags": {"a": "3"}})["changed"]
    assert tags == {"a": "3", "theirs": "2"}
    assert cloud.run(scaling, **options | {"tags": {"b": "4"}, "purge_tags": True})["changed"]
    assert tags == {"b": "4"}
