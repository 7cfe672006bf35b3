# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every kind of resource passes through AWS's states in order, refuses meanwhile what AWS refuses, and botocore's waiters see it arrive."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.exceptions import ClientError

LATENCY = 0.06
aws = boto3.Session(aws_access_key_id="molecule", aws_secret_access_key="molecule", region_name="us-east-1")
ec2, rds, elb, cloudfront, acm, sts = (aws.client(name, endpoint_url=sys.argv[1]) for name in ("ec2", "rds", "elbv2", "cloudfront", "acm", "sts"))
SOON = {"Delay": 1, "MaxAttempts": 20}


def passes(*expected: Any, through: Callable[[], Any]) -> None:
    """What `through` answers changes from one expected value to the next, and none is missed."""
    seen: list[Any] = []
    end = time.monotonic() + 20
    while seen[-1:] != [expected[-1]] and time.monotonic() < end:
        if seen[-1:] != [now := through()]:
            seen.append(now)
    assert seen == list(expected), f"{seen}, expected: {list(expected)}"


def refused(code: str, call: Callable[..., Any], **parameters: Any) -> None:
    try:
        call(**parameters)
    except ClientError as error:
        answer = error.response["Error"]["Code"]
    else:
        answer = "nothing"
    assert answer == code, f"{call.__name__} was refused with {answer}, expected: {code}"


def network() -> tuple[str, list[str], str]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in (0, 1)]
    return vpc, subnets, ec2.create_security_group(VpcId=vpc, GroupName="group", Description="group")["GroupId"]


def nat_gateway() -> None:
    _vpc, [subnet, _other], _group = network()
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
    identifier = gateway["NatGatewayId"]
    assert gateway["State"] == "pending"

    def described(**more: Any) -> dict[str, Any]:
        return (ec2.describe_nat_gateways(NatGatewayIds=[identifier], **more)["NatGateways"] or [{}])[0]

    assert described(Filter=[{"Name": "state", "Values": ["pending"]}])
    assert not described(Filter=[{"Name": "state", "Values": ["available"]}])
    passes(("pending", False), ("available", True), through=lambda: ((it := described())["State"], "PublicIp" in it["NatGatewayAddresses"][0]))
    ec2.delete_nat_gateway(NatGatewayId=identifier)
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    passes("deleting", "deleted", through=lambda: described()["State"])
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)


def interface_endpoint() -> None:
    vpc, subnets, group = network()
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.logs", VpcEndpointType="Interface", SubnetIds=subnets, SecurityGroupIds=[group]
    )["VpcEndpoint"]["VpcEndpointId"]

    def state() -> str:
        return (ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"] or [{"State": "gone"}])[0]["State"]

    passes("pending", "available", through=state)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    passes("deleting", "gone", through=state)
    ec2.delete_security_group(GroupId=group)
    gateway = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")["VpcEndpoint"]
    assert gateway["State"] == "available"


def load_balancer() -> None:
    vpc, subnets, group = network()
    balancer = elb.create_load_balancer(Name="paced", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
    arn = balancer["LoadBalancerArn"]
    assert balancer["State"]["Code"] == "provisioning"
    passes("provisioning", "active", through=lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"])
    targets = elb.create_target_group(Name="paced", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(TargetGroupArn=targets, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}])
    target = {"TargetGroupArn": targets, "Targets": [{"Id": "10.0.0.9", "Port": 8080}]}
    elb.register_targets(**target)

    def health() -> str:
        found = elb.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
        return found[0]["TargetHealth"]["State"] if found else "gone"

    assert health() == "initial"
    elb.deregister_targets(**target)
    passes("draining", "gone", through=health)
    elb.delete_load_balancer(LoadBalancerArn=arn)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    time.sleep(1.2)  # a fiftieth of the minute in which AWS takes the network interfaces back
    ec2.delete_security_group(GroupId=group)


def database() -> None:
    _vpc, subnets, _group = network()
    rds.create_db_subnet_group(DBSubnetGroupName="paced", DBSubnetGroupDescription="paced", SubnetIds=subnets)
    name = {"DBInstanceIdentifier": "paced"}
    login = {"MasterUsername": "somebody", "MasterUserPassword": "not-a-secret"}
    wanted = {"DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": 20, "DBSubnetGroupName": "paced"}
    made = rds.create_db_instance(**name, **wanted, **login)["DBInstance"]
    assert made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in made
    refused("InvalidDBInstanceState", rds.modify_db_instance, **name, AllocatedStorage=30, ApplyImmediately=True)

    def status() -> tuple[str, bool]:
        instance = rds.describe_db_instances(**name)["DBInstances"][0]
        return instance["DBInstanceStatus"], "Endpoint" in instance

    passes(("creating", False), ("backing-up", True), ("available", True), through=status)
    rds.modify_db_instance(**name, AllocatedStorage=30, ApplyImmediately=True)
    assert rds.describe_db_instances(**name)["DBInstances"][0]["AllocatedStorage"] == 30
    time.sleep(0.2)  # the status follows late
    assert status() == ("modifying", True)
    refused("InvalidDBInstanceState", rds.delete_db_instance, **name, FinalDBSnapshotIdentifier="last")
    rds.delete_db_instance(**name, SkipFinalSnapshot=True)
    assert [it["DBInstanceStatus"] for it in rds.describe_db_instances()["DBInstances"]] == ["deleting"]
    refused("InvalidDBInstanceState", rds.delete_db_instance, **name, SkipFinalSnapshot=True)
    refused("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, DBSubnetGroupName="paced")
    rds.get_waiter("db_instance_deleted").wait(**name, WaiterConfig=SOON)
    rds.delete_db_subnet_group(DBSubnetGroupName="paced")


def distribution() -> None:
    certificate = acm.request_certificate(DomainName="paced.example.com", ValidationMethod="DNS")["CertificateArn"]

    def validation() -> tuple[str, bool]:
        described = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
        return described["Status"], "ResourceRecord" in described["DomainValidationOptions"][0]

    config = {
        "CallerReference": "paced",
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [{"Id": "it", "DomainName": "example.com", "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}],
        },
        "DefaultCacheBehavior": {"TargetOriginId": "it", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"},
        "ViewerCertificate": {"ACMCertificateArn": certificate, "SSLSupportMethod": "sni-only"},
    }
    refused("InvalidViewerCertificate", cloudfront.create_distribution, DistributionConfig=config)
    assert not acm.list_certificates(CertificateStatuses=["ISSUED"])["CertificateSummaryList"]
    passes(("PENDING_VALIDATION", True), ("ISSUED", True), through=validation)
    made = cloudfront.create_distribution(DistributionConfig=config)
    identifier = made["Distribution"]["Id"]

    def status() -> str:
        [listed] = cloudfront.list_distributions()["DistributionList"]["Items"]
        return listed["Status"]

    assert made["Distribution"]["Status"] == "InProgress"
    passes("InProgress", "Deployed", through=status)
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "paced"}
    invalidation = cloudfront.create_invalidation(DistributionId=identifier, InvalidationBatch=batch)["Invalidation"]
    assert invalidation["Status"] == "InProgress"
    cloudfront.get_waiter("invalidation_completed").wait(DistributionId=identifier, Id=invalidation["Id"], WaiterConfig=SOON)
    refused("DistributionNotDisabled", cloudfront.delete_distribution, Id=identifier, IfMatch=made["ETag"])
    disabled = cloudfront.update_distribution(Id=identifier, IfMatch=made["ETag"], DistributionConfig={**config, "Enabled": False})
    assert disabled["Distribution"]["Status"] == "InProgress"
    refused("DistributionNotDisabled", cloudfront.delete_distribution, Id=identifier, IfMatch=disabled["ETag"])
    cloudfront.get_waiter("distribution_deployed").wait(Id=identifier, WaiterConfig=SOON)
    cloudfront.delete_distribution(Id=identifier, IfMatch=disabled["ETag"])


def requests_are_slow_together() -> None:
    began = time.monotonic()
    sts.get_caller_identity()
    assert time.monotonic() - began >= LATENCY
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: sts.get_caller_identity(), range(50)))
    assert time.monotonic() - began < 50 * LATENCY


# MiniStack's first answer of each service takes longer than some states last
for first in (ec2.describe_vpcs, rds.describe_db_instances, elb.describe_load_balancers, cloudfront.list_distributions, acm.list_certificates):
    first()
with ThreadPoolExecutor() as kinds:
    for kind in [kinds.submit(kind) for kind in (nat_gateway, interface_endpoint, load_balancer, database, distribution)]:
        kind.result()
requests_are_slow_together()
