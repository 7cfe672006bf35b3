# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2: a NAT gateway and its Elastic IP address know each other; a security group's rule can name a prefix list.

Endpoints and flow logs keep what they were given.
"""

from __future__ import annotations

import pace
from mending import mend
from ministack.services import ec2

NO_ADDRESS = b"<natGatewayAddressSet/>"


def nat_gateway_of(allocation_id):
    gateways = [it for it in ec2._nat_gateways.values() if it["AllocationId"] == allocation_id]
    return next((it for it in gateways if pace.state(it["NatGatewayId"], it["State"]) != "deleted"), None)


@mend("services.ec2:_describe_nat_gateways", "1673fcd2dd02")
def nat_gateways_have_addresses(upstream):
    """DescribeNatGateways answers an empty NatGatewayAddresses, so that nobody knows the address to release."""

    def describe_nat_gateways(params):
        status, headers, body = upstream(params)
        for gateway in ec2._nat_gateways.values():
            address = ec2._addresses.get(gateway["AllocationId"])
            head, found, tail = body.partition(f"<natGatewayId>{gateway['NatGatewayId']}</natGatewayId>".encode())
            if found and address:
                item = f"<allocationId>{gateway['AllocationId']}</allocationId>"
                if pace.state(gateway["NatGatewayId"], gateway["State"]) != "pending":
                    item += f"<publicIp>{address['PublicIp']}</publicIp><status>succeeded</status>"
                body = head + found + tail.replace(NO_ADDRESS, f"<natGatewayAddressSet><item>{item}</item></natGatewayAddressSet>".encode(), 1)
        return status, headers, body

    return describe_nat_gateways


@mend("services.ec2:_describe_addresses", "eedee68236cb")
def addresses_are_filtered(upstream):
    """DescribeAddresses ignores filters, and says of an address that a NAT gateway has that it is free."""

    def describe_addresses(params):
        filters = ec2._parse_filters(params)
        hidden = {key: it for key, it in ec2._addresses.items() if not ec2._resource_matches_tag_filters(key, filters)}
        for key in hidden:
            del ec2._addresses[key]
        try:
            for key, it in ec2._addresses.items():
                if it["AssociationId"] is None and nat_gateway_of(key):
                    it["AssociationId"] = "eipassoc-" + key.partition("-")[2]
            return upstream(params)
        finally:
            for key, it in hidden.items():
                ec2._addresses[key] = it

    return describe_addresses


@mend("services.ec2:_release_address", "c8d4c1a1b929")
def an_address_in_use_stays(upstream):
    """ReleaseAddress releases an address that a NAT gateway has, which AWS refuses."""

    def release_address(params):
        if nat_gateway_of(ec2._p(params, "AllocationId")):
            return ec2._error("InvalidIPAddress.InUse", "The address is in use by a NAT gateway.", 400)
        return upstream(params)

    return release_address


@mend("services.ec2:_parse_ip_permissions", "7c2dbe7668af")
def rules_name_prefix_lists(upstream):
    """The prefix lists of a security group's rule are forgotten, so that the rule is never there and the module waits for it."""

    def parse_ip_permissions(params, prefix):
        rules = upstream(params, prefix)
        for number, rule in enumerate(rules, 1):
            lists = f"{prefix}.{number}.PrefixListIds"
            while name := ec2._p(params, f"{lists}.{len(rule['PrefixListIds']) + 1}.PrefixListId"):
                description = ec2._p(params, f"{lists}.{len(rule['PrefixListIds']) + 1}.Description")
                rule["PrefixListIds"].append({"PrefixListId": name, **({"Description": description} if description else {})})
        return rules

    return parse_ip_permissions


@mend("services.ec2:_describe_security_groups", "c4ed7866dba0")
def groups_are_found_by_their_id(upstream):
    """DescribeSecurityGroups ignores the filter group-id and answers with every group."""

    def describe_security_groups(params):
        wanted = ec2._parse_filters(params).get("group-id")
        if not wanted:
            return upstream(params)
        known = [name for name in wanted if name in ec2._security_groups]
        if not known:
            return ec2._xml(200, "DescribeSecurityGroupsResponse", "<securityGroupInfo/>")
        return upstream({**params, **{f"GroupId.{number}": [name] for number, name in enumerate(known, 1)}})

    return describe_security_groups


@mend("services.ec2:_create_vpc_endpoint", "d5a50e265189")
def new_endpoints_have_groups(upstream):
    """CreateVpcEndpoint forgets the security groups of an interface endpoint, and whether it has private DNS names."""

    def create_vpc_endpoint(params):
        known = set(ec2._vpc_endpoints)
        answer = upstream(params)
        for identifier in set(ec2._vpc_endpoints) - known:
            endpoint = ec2._vpc_endpoints[identifier]
            interface = endpoint["VpcEndpointType"] == "Interface"
            endpoint["Groups"] = ec2._parse_member_list(params, "SecurityGroupId")
            endpoint["PrivateDnsEnabled"] = ec2._p(params, "PrivateDnsEnabled") or str(interface).lower()
        return answer

    return create_vpc_endpoint


@mend("services.ec2:_modify_vpc_endpoint", "f60c0a5a042f")
def endpoints_change_groups(upstream):
    """ModifyVpcEndpoint ignores security groups and private DNS names."""

    def modify_vpc_endpoint(params):
        endpoint = ec2._vpc_endpoints.get(ec2._p(params, "VpcEndpointId"))
        if endpoint:
            removed = ec2._parse_member_list(params, "RemoveSecurityGroupId")
            endpoint["Groups"] = [it for it in endpoint.get("Groups", []) if it not in removed] + ec2._parse_member_list(params, "AddSecurityGroupId")
            endpoint["PrivateDnsEnabled"] = ec2._p(params, "PrivateDnsEnabled") or endpoint.get("PrivateDnsEnabled", "false")
        return upstream(params)

    return modify_vpc_endpoint


@mend("services.ec2:_vpce_fields_xml", "645fd486d622")
def endpoints_show_groups(upstream):
    """What new_endpoints_have_groups keeps is not shown."""

    def vpce_fields_xml(endpoint, tag="item"):
        groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in endpoint.get("Groups", []))
        more = f"<groupSet>{groups}</groupSet><privateDnsEnabled>{endpoint.get('PrivateDnsEnabled', 'false')}</privateDnsEnabled>"
        head, end, tail = upstream(endpoint, tag).rpartition(f"</{tag}>")
        return head + more + end + tail

    return vpce_fields_xml


@mend("services.ec2:_create_flow_logs", "8882a038ef8e")
def flow_logs_keep_their_properties(upstream):
    """CreateFlowLogs forgets log group, role, interval, and tags, for which it knows another resource type than AWS."""

    def create_flow_logs(params):
        known = set(ec2._flow_logs)
        answer = upstream(params)
        for identifier in set(ec2._flow_logs) - known:
            ec2._parse_tag_specs(params, "vpc-flow-log", identifier)
            ec2._flow_logs[identifier] |= {
                "LogGroupName": ec2._p(params, "LogGroupName"),
                "DeliverLogsPermissionArn": ec2._p(params, "DeliverLogsPermissionArn"),
                "MaxAggregationInterval": ec2._p(params, "MaxAggregationInterval") or "600",
            }
        return answer

    return create_flow_logs


@mend("services.ec2:_describe_flow_logs", "f05c0ab7a201")
def flow_logs_show_their_properties(upstream):
    """What flow_logs_keep_their_properties keeps is not shown."""

    def describe_flow_logs(params):
        status, headers, body = upstream(params)
        for identifier, flow_log in ec2._flow_logs.items():
            shown = "".join(
                f"<{key[0].lower()}{key[1:]}>{flow_log[key]}</{key[0].lower()}{key[1:]}>"
                for key in ("LogGroupName", "DeliverLogsPermissionArn", "MaxAggregationInterval")
                if flow_log.get(key)
            )
            name = f"<flowLogId>{identifier}</flowLogId>".encode()
            body = body.replace(name, name + shown.encode())
        return status, headers, body

    return describe_flow_logs


@mend("services.ec2:_describe_network_interfaces", "61ccec97e205")
def network_interfaces_are_filtered(upstream):
    """DescribeNetworkInterfaces ignores the filters vpc-id and group-id."""

    def describe_network_interfaces(params):
        filters = ec2._parse_filters(params)
        vpcs, groups = filters.get("vpc-id"), filters.get("group-id")
        known = [
            name
            for name, it in ec2._network_interfaces.items()
            if (not vpcs or it["VpcId"] in vpcs) and (not groups or any(group["GroupId"] in groups for group in it["Groups"]))
        ]
        if not (vpcs or groups) or "NetworkInterfaceId.1" in params:
            return upstream(params)
        if not known:
            return ec2._xml(200, "DescribeNetworkInterfacesResponse", "<networkInterfaceSet/>")
        return upstream({**params, **{f"NetworkInterfaceId.{number}": [name] for number, name in enumerate(known, 1)}})

    return describe_network_interfaces
