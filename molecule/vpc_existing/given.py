"""Makes a VPC with what the role vpc makes in its own, under the names that the role would give, and prints it as vpc_existing wants it."""

from __future__ import annotations

import json

import boto3

ec2 = boto3.client("ec2")
NAME = [{"Key": "Name", "Value": "pulsegrid-molecule"}]

vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
    ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
subnets = [
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
    for number, zone in enumerate("abab")
]
table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
address = ec2.allocate_address(Domain="vpc")["AllocationId"]
nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Gateway", ServiceName="com.amazonaws.us-east-1.dynamodb", RouteTableIds=[table])
ec2.create_security_group(VpcId=vpc, GroupName="theirs", Description="theirs")
ec2.create_tags(Resources=[vpc, *subnets, table, gateway, address, nat], Tags=NAME)
print(json.dumps({"vpc_id": vpc, "public_subnet_ids": subnets[:2], "private_subnet_ids": subnets[2:], "database_subnet_ids": subnets[2:]}))
