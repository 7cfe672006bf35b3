# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS's pace: Describe calls tell what is under way, and what is not ready refuses what AWS refuses. Loaded with a pace above 0 only; durations: pace.py."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager

import pace
from mending import mend
from ministack.core.responses import get_account_id, get_region
from ministack.services import acm, alb, cloudfront, ec2, ecs, rds


def forgetting(application):
    """An ASGI application that has nothing under way after MiniStack's reset."""

    async def reset(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/_ministack/reset":
            pace.forget()
        await application(scope, receive, send)

    return reset


def here():
    """Where the caller's resources are."""
    return f"{get_account_id()}/{get_region()}"


def of_caller(*states):
    return [record for record in pace.leaving(*states) if record["here"] == here()]


@contextmanager
def new_is_under_way(resources, way, known_as=None):
    """What is new in MiniStack's table afterwards is on its way, under its key there or what known_as makes of its record."""
    before = set(resources)
    yield
    for key in set(resources) - before:
        pace.begin(known_as(resources[key]) if known_as else key, way)


# RDS


def database(instance):
    return f"database {instance['DBInstanceArn']}"


def status_of(instance):
    return pace.state(database(instance), "available")


def one_database(operation, instance):
    return rds._single_instance_response(f"{operation}Response", f"{operation}Result", instance)


def deleted_databases():
    return {record["instance"]["DBInstanceIdentifier"]: record["instance"] for record in of_caller("deleting") if "instance" in record}


@mend("services.rds:_create_db_instance", "5edfd4666b24")
def a_new_database_is_created_and_backed_up(upstream):
    """An instance is available as soon as its container is."""

    def create_db_instance(parameters):
        name = rds._p(parameters, "DBInstanceIdentifier")
        if name in deleted_databases():
            return rds._error("DBInstanceAlreadyExists", "DB instance already exists", 400)
        answer = upstream(parameters)
        if answer[0] != 200:
            return answer
        pace.begin(database(rds._instances[name]), "database created")
        return one_database("CreateDBInstance", rds._instances[name])

    return create_db_instance


@mend("services.rds:_instance_xml", "97bb74e4c17b")
def a_database_tells_what_is_under_way(upstream):
    """DescribeDBInstances knows the container's state. A database that is being created has no endpoint."""

    def instance_xml(instance):
        status = status_of(instance)
        if status == "available" or instance["DBInstanceStatus"] == "failed":
            return upstream(instance)
        xml = upstream({**instance, "DBInstanceStatus": status})
        return re.sub(r"<Endpoint>.*?</Endpoint>", "", xml, flags=re.DOTALL) if status == "creating" else xml

    return instance_xml


@mend("services.rds:_describe_db_instances", "5d4caee66547")
def a_database_is_deleted_for_a_while(upstream):
    """DeleteDBInstance removes an instance at once."""

    def describe_db_instances(parameters):
        deleted, name = deleted_databases(), rds._p(parameters, "DBInstanceIdentifier")
        if name in deleted:
            found = f"<DBInstance>{rds._instance_xml(deleted[name])}</DBInstance>"
            return rds._xml(200, "DescribeDBInstancesResponse", f"<DescribeDBInstancesResult><DBInstances>{found}</DBInstances></DescribeDBInstancesResult>")
        status, headers, body = upstream(parameters)
        if not name:
            also = "".join(f"<DBInstance>{rds._instance_xml(instance)}</DBInstance>" for instance in deleted.values())
            body = body.replace(b"</DBInstances>", f"{also}</DBInstances>".encode())
        return status, headers, body

    return describe_db_instances


def not_available(name):
    return rds._error("InvalidDBInstanceState", f"Database instance {name} is not in available state.", 400)


@mend("services.rds:_modify_db_instance", "05a4f3f74e13")
def a_database_is_modified_for_a_while(upstream):
    """ModifyDBInstance changes an instance at once, also one that is not available."""

    def modify_db_instance(parameters):
        name = rds._p(parameters, "DBInstanceIdentifier")
        instance = rds._resolve_instance(name)
        if name in deleted_databases() or (instance and status_of(instance) != "available"):
            return not_available(name)
        answer = upstream(parameters)
        quick = {"Action", "Version", "DBInstanceIdentifier", "ApplyImmediately", *rds._IMMEDIATE_INSTANCE_SETTINGS}
        if answer[0] == 200 and rds._p(parameters, "ApplyImmediately") == "true" and set(parameters) - quick:
            pace.begin(database(instance), "database modified")
        return answer

    return modify_db_instance


@mend("services.rds:_delete_db_instance", "a08b42eacbd8")
def a_database_is_not_deleted_twice(upstream):
    """See a_database_is_deleted_for_a_while. A last snapshot needs an available instance."""

    def delete_db_instance(parameters):
        name = rds._p(parameters, "DBInstanceIdentifier")
        instance = rds._resolve_instance(name)
        if name in deleted_databases():
            return rds._error("InvalidDBInstanceState", f"Instance {name} is already being deleted.", 400)
        if instance and rds._p(parameters, "FinalDBSnapshotIdentifier") and status_of(instance) != "available":
            return not_available(name)
        answer = upstream(parameters)
        if answer[0] == 200:
            groups = [group["VpcSecurityGroupId"] for group in instance.get("VpcSecurityGroups", [])]
            pace.begin(database(instance), "database deleted", {"here": here(), "instance": instance, "groups": groups})
        return answer

    return delete_db_instance


def keep_for_databases(parameter, names_of, code):
    """A mend of an operation that AWS refuses while a database that uses the resource is being deleted."""

    def kept(upstream):
        def delete(parameters):
            name = rds._p(parameters, parameter)
            if any(name in names_of(instance) for instance in deleted_databases().values()):
                return rds._error(code, f"{name} is in use by a DB instance.", 400)
            return upstream(parameters)

        return delete

    return kept


mend("services.rds:_delete_subnet_group", "d6749c1f5aab")(
    keep_for_databases("DBSubnetGroupName", lambda instance: [instance["DBSubnetGroup"]["DBSubnetGroupName"]], "InvalidDBSubnetGroupStateFault")
)
mend("services.rds:_delete_param_group", "17e2a67646ee")(
    keep_for_databases(
        "DBParameterGroupName", lambda instance: [group["DBParameterGroupName"] for group in instance["DBParameterGroups"]], "InvalidDBParameterGroupState"
    )
)


# EC2


@mend("services.ec2:_create_nat_gateway", "440bbbbfa2a7")
def a_new_nat_gateway_is_pending(upstream):
    """A NAT gateway is available at once."""

    def create_nat_gateway(params):
        with new_is_under_way(ec2._nat_gateways, "NAT gateway created"):
            status, headers, body = upstream(params)
        return status, headers, body.replace(b"<state>available</state>", b"<state>pending</state>")

    return create_nat_gateway


@mend("services.ec2:_describe_nat_gateways", "1673fcd2dd02")
def nat_gateways_tell_what_is_under_way(upstream):
    """See a_new_nat_gateway_is_pending. The filter `state` has to see it too."""

    def describe_nat_gateways(params):
        arrived = {gateway["NatGatewayId"]: gateway["State"] for gateway in ec2._nat_gateways.values()}
        try:
            for identifier, state in arrived.items():
                ec2._nat_gateways[identifier]["State"] = pace.state(identifier, state)
            return upstream(params)
        finally:
            for identifier, state in arrived.items():
                # a snapshot may have been taken in between, and its state lasts
                ec2._nat_gateways[identifier]["State"] = {"pending": "available", "deleting": "deleted"}.get(state, state)

    return describe_nat_gateways


@mend("services.ec2:_delete_nat_gateway", "f36426c416e6")
def a_nat_gateway_is_deleted_for_a_while(upstream):
    """A NAT gateway is deleted at once."""

    def delete_nat_gateway(params):
        answer = upstream(params)
        if answer[0] == 200:
            gateway = ec2._nat_gateways[ec2._p(params, "NatGatewayId")]
            pace.begin(gateway["NatGatewayId"], "NAT gateway deleted", {"here": here(), "subnets": [gateway["SubnetId"]]})
        return answer

    return delete_nat_gateway


@mend("services.ec2:_create_vpc_endpoint", "d5a50e265189")
def a_new_interface_endpoint_is_pending(upstream):
    """An interface endpoint is available at once."""

    def create_vpc_endpoint(params):
        if ec2._p(params, "VpcEndpointType") != "Interface":
            return upstream(params)
        with new_is_under_way(ec2._vpc_endpoints, "interface endpoint created"):
            status, headers, body = upstream(params)
        return status, headers, body.replace(b"<state>available</state>", b"<state>pending</state>")

    return create_vpc_endpoint


@mend("services.ec2:_vpce_fields_xml", "645fd486d622")
def interface_endpoints_tell_what_is_under_way(upstream):
    """See a_new_interface_endpoint_is_pending."""

    def vpce_fields_xml(endpoint, tag="item"):
        return upstream({**endpoint, "State": pace.state(endpoint["VpcEndpointId"], endpoint["State"])}, tag)

    return vpce_fields_xml


@mend("services.ec2:_delete_vpc_endpoints", "88183e801914")
def an_interface_endpoint_is_deleted_for_a_while(upstream):
    """An interface endpoint is deleted at once."""

    def delete_vpc_endpoints(params):
        named = [ec2._vpc_endpoints.get(identifier) for identifier in ec2._parse_member_list(params, "VpcEndpointId")]
        answer = upstream(params)
        for endpoint in named:
            if endpoint and endpoint["VpcEndpointType"] == "Interface":
                record = {"here": here(), "endpoint": endpoint, "groups": endpoint.get("Groups", []), "subnets": endpoint["SubnetIds"]}
                pace.begin(endpoint["VpcEndpointId"], "interface endpoint deleted", record)
        return answer

    return delete_vpc_endpoints


@mend("services.ec2:_describe_vpc_endpoints", "aabef31a8419")
def deleted_interface_endpoints_are_told(upstream):
    """See an_interface_endpoint_is_deleted_for_a_while."""

    def describe_vpc_endpoints(params):
        status, headers, body = upstream(params)
        named = ec2._parse_member_list(params, "VpcEndpointId")
        deleted = [record["endpoint"] for record in of_caller("deleting") if "endpoint" in record]
        also = "".join(ec2._vpce_fields_xml(endpoint) for endpoint in deleted if not named or endpoint["VpcEndpointId"] in named)
        return status, headers, body.replace(b"</vpcEndpointSet>", f"{also}</vpcEndpointSet>".encode())

    return describe_vpc_endpoints


def keep_for_interfaces(parameter, kind):
    """A mend of an operation that AWS refuses while a resource that is being deleted still has network interfaces."""

    def kept(upstream):
        def delete(params):
            name = ec2._p(params, parameter)
            if any(name in record.get(kind, []) for record in of_caller("deleting", "releasing")):
                return ec2._error("DependencyViolation", f"resource {name} has a dependent object", 400)
            return upstream(params)

        return delete

    return kept


mend("services.ec2:_delete_security_group", "769ce93213d7")(keep_for_interfaces("GroupId", "groups"))
mend("services.ec2:_delete_subnet", "dbc56de26456")(keep_for_interfaces("SubnetId", "subnets"))


# Elastic Load Balancing


@mend("services.alb:_create_lb", "80262ade9bce")
def a_new_load_balancer_is_provisioned(upstream):
    """A load balancer is active at once."""

    def create_load_balancer(params):
        with new_is_under_way(alb._lbs, "load balancer created"):
            status, headers, body = upstream(params)
        return status, headers, body.replace(b"<Code>active</Code>", b"<Code>provisioning</Code>")

    return create_load_balancer


@mend("services.alb:_lb_xml", "59605e2cb117")
def load_balancers_tell_what_is_under_way(upstream):
    """See a_new_load_balancer_is_provisioned."""

    def lb_xml(balancer):
        return upstream({**balancer, "State": pace.state(balancer["LoadBalancerArn"], balancer["State"])})

    return lb_xml


@mend("services.alb:_delete_lb", "40fe6b0fdfb7")
def the_interfaces_of_a_load_balancer_stay_for_a_while(upstream):
    """Nothing is left of a load balancer that is deleted."""

    def delete_load_balancer(params):
        balancer = alb._lbs.get(alb._p(params, "LoadBalancerArn"))
        answer = upstream(params)
        if balancer:
            record = {"here": here(), "groups": balancer["SecurityGroups"], "subnets": balancer["Subnets"]}
            pace.begin(balancer["LoadBalancerArn"], "load balancer deleted", record)
        return answer

    return delete_load_balancer


def targets(arn):
    return {(str(target["Id"]), int(target.get("Port") or alb._tgs[arn].get("Port") or 80)) for target in alb._targets.get(arn, [])}


def drain(arn, before):
    attributes = {attribute["Key"]: attribute["Value"] for attribute in alb._tg_attrs.get(arn, [])}
    for name, port in before - targets(arn):
        delay = float(attributes.get("deregistration_delay.timeout_seconds", 300))
        pace.drain(f"{arn} {name} {port}", delay, {"here": here(), "target_group": arn, "target": (name, port)})


@mend("services.alb:_deregister_targets", "1906f012a6da")
def a_deregistered_target_drains(upstream):
    """A target that is deregistered is gone at once."""

    def deregister_targets(params):
        arn = alb._p(params, "TargetGroupArn")
        before = targets(arn) if arn in alb._tgs else set()
        answer = upstream(params)
        drain(arn, before)
        return answer

    return deregister_targets


@mend("services.alb:set_targets_for_group", "72b06370418a")
def a_stopped_task_drains(upstream):
    """See a_deregistered_target_drains: what ECS does."""

    def set_targets_for_group(tg_arn, *arguments, **named):
        before = targets(tg_arn) if tg_arn in alb._tgs else set()
        done = upstream(tg_arn, *arguments, **named)
        if done:
            drain(tg_arn, before)
        return done

    return set_targets_for_group


@mend("services.alb:_describe_target_health", "d848e8a26fcb")
def draining_targets_are_told(upstream):
    """See a_deregistered_target_drains."""

    def describe_target_health(params):
        status, headers, body = upstream(params)
        arn, wanted = alb._p(params, "TargetGroupArn"), {target["Id"] for target in alb._parse_targets_param(params)}
        draining = [record["target"] for record in of_caller("draining") if record["target_group"] == arn]
        also = "".join(
            f"<member><Target><Id>{name}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort><TargetHealth><State>draining</State>"
            "<Reason>Target.DeregistrationInProgress</Reason><Description>Target deregistration is in progress</Description></TargetHealth></member>"
            for name, port in draining
            if (not wanted or name in wanted) and (name, port) not in targets(arn)
        )
        return status, headers, body.replace(b"</TargetHealthDescriptions>", f"{also}</TargetHealthDescriptions>".encode())

    return describe_target_health


def pending_certificate(text):
    return next((arn for arn in re.findall(r"arn:aws[a-z-]*:acm:[\w:/-]+", text) if pace.state(arn, "ISSUED") != "ISSUED"), None)


def certificates_first(upstream):
    """A listener takes a certificate that is not issued yet."""

    def with_certificate(params):
        if arn := pending_certificate(str(params)):
            return alb._error("UnsupportedCertificate", f"Certificate {arn} is not issued.")
        return upstream(params)

    return with_certificate


mend("services.alb:_create_listener", "23d4ba6f6584")(certificates_first)
mend("services.alb:_modify_listener", "be2a9bfca23f")(certificates_first)


# CloudFront


def deployed(distribution):
    return {**distribution, "Status": pace.state(distribution["ARN"], distribution["Status"])}


def pending_viewer_certificate(body):
    if pending_certificate(body.decode() if isinstance(body, bytes) else body):
        return cloudfront._error("InvalidViewerCertificate", "The viewer certificate is not issued.", 400)
    return None


@mend("services.cloudfront:_create_distribution", "d17e66f3ce16")
def a_new_distribution_is_in_progress(upstream):
    """A distribution is deployed at once."""

    def create_distribution(headers, body):
        if refused := pending_viewer_certificate(body):
            return refused
        with new_is_under_way(cloudfront._distributions, "distribution deployed", lambda distribution: distribution["ARN"]):
            status, answer_headers, answer = upstream(headers, body)
        return status, answer_headers, answer.replace(b"<Status>Deployed</Status>", b"<Status>InProgress</Status>", 1)

    return create_distribution


@mend("services.cloudfront:_update_distribution", "612916dcf4e2")
def a_change_of_a_distribution_is_in_progress(upstream):
    """See a_new_distribution_is_in_progress."""

    def update_distribution(dist_id, headers, body):
        if refused := pending_viewer_certificate(body):
            return refused
        status, answer_headers, answer = upstream(dist_id, headers, body)
        if status == 200:
            pace.begin(cloudfront._distributions[dist_id]["ARN"], "distribution deployed")
            answer = answer.replace(b"<Status>Deployed</Status>", b"<Status>InProgress</Status>", 1)
        return status, answer_headers, answer

    return update_distribution


@mend("services.cloudfront:_delete_distribution", "ce37056006cd")
def a_distribution_is_deleted_once_it_is_disabled_everywhere(upstream):
    """See a_new_distribution_is_in_progress."""

    def delete_distribution(dist_id, headers):
        distribution = cloudfront._distributions.get(dist_id)
        if distribution and deployed(distribution)["Status"] == "InProgress":
            return cloudfront._error("DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.", 409)
        return upstream(dist_id, headers)

    return delete_distribution


@mend("services.cloudfront:_build_distribution_xml", "1522913ee2bf")
def distributions_tell_what_is_under_way(upstream):
    """See a_new_distribution_is_in_progress."""

    def build_distribution_xml(parent, distribution):
        return upstream(parent, deployed(distribution))

    return build_distribution_xml


@mend("services.cloudfront:_build_distribution_list_xml", "77d89c82dc02")
def the_list_of_distributions_does_too(upstream):
    """See a_new_distribution_is_in_progress."""

    def build_distribution_list_xml(root, items):
        return upstream(root, [deployed(distribution) for distribution in items])

    return build_distribution_list_xml


@mend("services.cloudfront:_create_invalidation", "801254ce5555")
def a_new_invalidation_is_in_progress(upstream):
    """An invalidation is completed at once."""

    def create_invalidation(dist_id, body):
        known = len(cloudfront._invalidations.get(dist_id, []))
        status, headers, answer = upstream(dist_id, body)
        for invalidation in cloudfront._invalidations.get(dist_id, [])[known:]:
            pace.begin(invalidation["Id"], "invalidation created")
            answer = answer.replace(b"<Status>Completed</Status>", b"<Status>InProgress</Status>")
        return status, headers, answer

    return create_invalidation


@mend("services.cloudfront:_build_invalidation_xml", "badd718d7dd3")
def invalidations_tell_what_is_under_way(upstream):
    """See a_new_invalidation_is_in_progress."""

    def build_invalidation_xml(parent, invalidation):
        return upstream(parent, {**invalidation, "Status": pace.state(invalidation["Id"], invalidation["Status"])})

    return build_invalidation_xml


# ACM


@mend("services.acm:_request_certificate", "8fb1d8187af5")
def a_new_certificate_is_validated(upstream):
    """A certificate is issued at once."""

    def request_certificate(data):
        with new_is_under_way(acm._certificates, "certificate requested"):
            return upstream(data)

    return request_certificate


@mend("services.acm:_cert_shape", "1ce4bcc96cec")
def certificates_tell_what_is_under_way(upstream):
    """See a_new_certificate_is_validated. In the first seconds, the record that proves the domain is not known."""

    def cert_shape(certificate):
        shape = upstream(certificate)
        state = pace.state(certificate["CertificateArn"], "ISSUED")
        if state == "ISSUED":
            return shape
        unknown = {"ResourceRecord", "ValidationStatus"} if state == "REQUESTED" else set()
        options = [{**option, "ValidationStatus": "PENDING_VALIDATION"} for option in shape["DomainValidationOptions"]]
        return {
            **{key: value for key, value in shape.items() if key not in ("IssuedAt", "NotBefore", "NotAfter")},
            "Status": "PENDING_VALIDATION",
            "DomainValidationOptions": [{key: value for key, value in option.items() if key not in unknown} for option in options],
        }

    return cert_shape


@mend("services.acm:_list_certificates", "f89fabaea324")
def the_list_of_certificates_does_too(upstream):
    """See a_new_certificate_is_validated."""

    def list_certificates(data):
        status, headers, body = upstream({key: value for key, value in data.items() if key != "CertificateStatuses"})
        if status != 200:
            return status, headers, body
        answer, wanted = json.loads(body), data.get("CertificateStatuses")
        for summary in answer["CertificateSummaryList"]:
            if pace.state(summary["CertificateArn"], "ISSUED") != "ISSUED":
                summary["Status"] = "PENDING_VALIDATION"
        answer["CertificateSummaryList"] = [summary for summary in answer["CertificateSummaryList"] if not wanted or summary["Status"] in wanted]
        return acm.json_response(answer)

    return list_certificates


# ECS: a task's thread waits, so that services and deployments see it too


@mend("services.ecs:_mark_task_pending", "37729731ca03")
def a_task_is_provisioned(upstream):
    """A task is pending at once."""

    def mark_task_pending(task_arn, task):
        time.sleep(pace.seconds(dict(pace.WAYS["task started"].states)["PROVISIONING"]))
        return upstream(task_arn, task)

    return mark_task_pending


@mend("services.ecs:_mark_task_activating", "865905b75291")
def a_task_is_pending(upstream):
    """A task's images are pulled at once."""

    def mark_task_activating(task_arn, task):
        time.sleep(pace.seconds(dict(pace.WAYS["task started"].states)["PENDING"]))
        return upstream(task_arn, task)

    return mark_task_activating


@mend("services.ecs:_mark_task_stopped", "09bac9c1c8d0")
def a_task_is_stopped_for_a_while(upstream):
    """A task is stopped at once. Its container is; DescribeTasks tells of the rest."""

    def mark_task_stopped(task_arn, *arguments, **named):
        stopped = upstream(task_arn, *arguments, **named)
        if stopped:
            pace.begin(task_arn, "task stopped")
        return stopped

    return mark_task_stopped


@mend("services.ecs:_describe_tasks", "c7057f1f0679")
def stopped_tasks_tell_what_is_under_way(upstream):
    """See a_task_is_stopped_for_a_while."""

    def describe_tasks(data):
        status, headers, body = upstream(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        for task in answer["tasks"]:
            if task["lastStatus"] == "STOPPED" and (state := pace.state(task["taskArn"], "STOPPED")) != "STOPPED":
                task["lastStatus"] = state
                task.pop("stoppedAt", None)
        return ecs.json_response(answer)

    return describe_tasks
