# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RDS: an instance has gp3's baseline performance and the log exports that were asked for."""

from __future__ import annotations

from mending import mend
from ministack.services import rds


def logs_of(parameters, prefix):
    """A list of the query protocol."""
    found = []
    while name := rds._p(parameters, f"{prefix}.member.{len(found) + 1}"):
        found.append(name)
    return found


@mend("services.rds:_create_db_instance_impl", "cfde6023907a")
def a_new_instance_has_all_of_it(upstream):
    """Of gp3 storage neither Iops nor StorageThroughput is said, which amazon.aws.rds_instance reads, and EnableCloudwatchLogsExports is ignored."""

    def create_db_instance(parameters):
        answer = upstream(parameters)
        instance = rds._instances.get(rds._p(parameters, "DBInstanceIdentifier"))
        if instance:
            instance["EnabledCloudwatchLogsExports"] = logs_of(parameters, "EnableCloudwatchLogsExports")
            if instance["StorageType"] == "gp3":
                instance["Iops"] = instance["Iops"] or 3000
                instance["StorageThroughput"] = instance["StorageThroughput"] or 125
        return answer

    return create_db_instance


@mend("services.rds:_modify_db_instance", "05a4f3f74e13")
def log_exports_change(upstream):
    """ModifyDBInstance ignores CloudwatchLogsExportConfiguration."""

    def modify_db_instance(parameters):
        instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))
        if instance:
            off = logs_of(parameters, "CloudwatchLogsExportConfiguration.DisableLogTypes")
            on = logs_of(parameters, "CloudwatchLogsExportConfiguration.EnableLogTypes")
            instance["EnabledCloudwatchLogsExports"] = sorted({*instance.get("EnabledCloudwatchLogsExports", []), *on} - {*off})
        return upstream(parameters)

    return modify_db_instance


@mend("services.rds:_instance_xml", "97bb74e4c17b")
def log_exports_are_said(upstream):
    """DescribeDBInstances says that no log is exported."""

    def instance_xml(instance, *arguments, **named):
        logs = "".join(f"<member>{name}</member>" for name in instance.get("EnabledCloudwatchLogsExports", []))
        return upstream(instance, *arguments, **named).replace(
            "<EnabledCloudwatchLogsExports/>", f"<EnabledCloudwatchLogsExports>{logs}</EnabledCloudwatchLogsExports>"
        )

    return instance_xml
