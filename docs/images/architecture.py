"""Draws architecture.png: make picture."""

from __future__ import annotations

import sys

from diagrams import Cluster, Diagram, Edge
from diagrams.aws.compute import ECR, Fargate, Lambda
from diagrams.aws.database import RDSPostgresqlInstance
from diagrams.aws.integration import SNS, EventbridgeScheduler
from diagrams.aws.management import Cloudwatch
from diagrams.aws.network import ELB, CloudFront, NATGateway, Route53
from diagrams.aws.security import SecretsManager
from diagrams.aws.storage import S3
from diagrams.onprem.client import Client, User
from diagrams.onprem.iac import Ansible

FONT = {"fontname": "Sans-Serif", "fontsize": "15"}
SPACE = {"pad": "0.3", "nodesep": "0.35", "ranksep": "1.1", "splines": "spline", "dpi": "72"}


def draw(file: str) -> None:
    attributes = {"graph_attr": FONT | SPACE, "node_attr": FONT | {"fontsize": "13"}, "edge_attr": FONT | {"fontsize": "12"}}
    with Diagram("", filename=file.removesuffix(".png"), show=False, direction="LR", **attributes):
        browser = Client("browser")
        person = Ansible("site.yml\ndeploy_backend.yml\ndeploy_frontend.yml")
        told = User("who is told")

        with Cluster("AWS account: one environment"):
            names = Route53("Route 53\n(with a domain)")
            edge = CloudFront("CloudFront\nstatic_site")
            site = S3("the site's releases\nstatic_site")
            registry = ECR("images\necr")
            secrets = SecretsManager("secrets\nrds, ecs_service")
            with Cluster("VPC (vpc)"):
                with Cluster("public subnets"):
                    balancer = ELB("load balancer\nalb")
                    nat = NATGateway("NAT\nvpc")
                with Cluster("private subnets"):
                    service = Fargate("tasks\necs_service")
                with Cluster("database subnets"):
                    database = RDSPostgresqlInstance("PostgreSQL\nrds")
            with Cluster("lambda_healthcheck"):
                schedule = EventbridgeScheduler("every minute")
                check = Lambda("health check")
                alarms = Cloudwatch("metrics, alarms")
                topic = SNS("alarms")

        browser >> Edge(label="HTTPS") >> edge
        browser >> Edge(style="dotted") >> names >> Edge(style="dotted") >> edge
        edge >> Edge(label="pages, assets") >> site
        edge >> Edge(label="/api/*, with a secret header") >> balancer >> service
        service >> Edge(label="TLS alone") >> database
        service >> Edge(label="images", style="dashed") >> nat >> Edge(style="dashed") >> registry
        service >> Edge(style="dashed") >> secrets
        schedule >> check >> alarms >> topic >> told
        check >> Edge(label="asks as a browser does") >> edge
        person >> Edge(label="builds, pushes", color="darkorange") >> registry
        person >> Edge(label="builds, publishes", color="darkorange") >> site


draw(sys.argv[1])
