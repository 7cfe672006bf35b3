# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RDS: an instance has what was asked for, a snapshot makes one, and there are event subscriptions."""

from __future__ import annotations

from mending import mend
from ministack.services import rds


def listed(parameters, prefix):
    """A list of the query protocol."""
    found = []
    while value := rds._p(parameters, f"{prefix}.{len(found) + 1}"):
        found.append(value)
    return found


@mend("services.rds:_create_db_instance_impl", "cfde6023907a")
def a_new_instance_has_all_of_it(upstream):
    """Of gp3 storage neither Iops nor StorageThroughput is said, which amazon.aws.rds_instance reads; the log exports, the backup window and the
    authority are ignored."""

    def create_db_instance(parameters):
        answer = upstream(parameters)
        instance = rds._instances.get(rds._p(parameters, "DBInstanceIdentifier"))
        if instance:
            instance["EnabledCloudwatchLogsExports"] = listed(parameters, "EnableCloudwatchLogsExports.member")
            for key in ("PreferredBackupWindow", "CACertificateIdentifier"):
                instance[key] = rds._p(parameters, key) or instance[key]
            if throughput := rds._p(parameters, "StorageThroughput"):
                instance["StorageThroughput"] = int(throughput)
            if instance["StorageType"] == "gp3":
                instance["Iops"] = instance["Iops"] or 3000
                instance["StorageThroughput"] = instance["StorageThroughput"] or 125
        return answer

    return create_db_instance


@mend("services.rds:_modify_db_instance", "05a4f3f74e13")
def all_of_it_changes(upstream):
    """ModifyDBInstance ignores log exports, minor upgrades and Performance Insights, and a role for metrics stays when there are none any more."""

    def modify_db_instance(parameters):
        instance = rds._resolve_instance(rds._p(parameters, "DBInstanceIdentifier"))
        if instance:
            off = listed(parameters, "CloudwatchLogsExportConfiguration.DisableLogTypes.member")
            on = listed(parameters, "CloudwatchLogsExportConfiguration.EnableLogTypes.member")
            instance["EnabledCloudwatchLogsExports"] = sorted({*instance.get("EnabledCloudwatchLogsExports", []), *on} - {*off})
            for key, parameter in (("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade"), ("PerformanceInsightsEnabled", "EnablePerformanceInsights")):
                if value := rds._p(parameters, parameter):
                    instance[key] = value == "true"
            for key in ("PerformanceInsightsRetentionPeriod", "StorageThroughput"):
                if value := rds._p(parameters, key):
                    instance[key] = int(value)
            if rds._p(parameters, "MonitoringInterval") == "0":
                instance["MonitoringRoleArn"] = ""
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


@mend("services.rds:_restore_from_snapshot", "7a2234de0cf5")
def a_snapshot_makes_a_whole_instance(upstream):
    """A restored instance has none of what was asked for, and no container. Here it has both; only the snapshot's content is not in it."""

    def restore_from_snapshot(parameters):
        snapshot = rds._snapshots.get(rds._p(parameters, "DBSnapshotIdentifier"))
        if not snapshot or rds._p(parameters, "DBInstanceIdentifier") in rds._instances:
            return upstream(parameters)
        made_of = {key: [snapshot[key]] for key in ("Engine", "EngineVersion", "MasterUsername", "DBName")}
        storage = rds._p(parameters, "AllocatedStorage") or str(snapshot["AllocatedStorage"])
        encrypted = str(snapshot["StorageEncrypted"]).lower()
        status, headers, body = rds._create_db_instance(
            {**parameters, **made_of, "AllocatedStorage": [storage], "StorageEncrypted": [encrypted], "KmsKeyId": [snapshot["KmsKeyId"]]}
        )
        return status, headers, body.replace(b"CreateDBInstanceRe", b"RestoreDBInstanceFromDBSnapshotRe")

    return restore_from_snapshot


_subscriptions = rds.AccountRegionScopedDict()


def subscription_xml(it):
    lists = {"SourceIdsList": "SourceId", "EventCategoriesList": "EventCategory"}
    plain = "".join(f"<{key}>{value}</{key}>" for key, value in it.items() if key not in lists)
    return plain + "".join(f"<{key}>{''.join(f'<{item}>{value}</{item}>' for value in it[key])}</{key}>" for key, item in lists.items())


def answer(operation, inner):
    return rds._xml(200, f"{operation}Response", f"<{operation}Result>{inner}</{operation}Result>")


def with_subscription(operation):
    """A handler that is given the subscription, or else answers that there is none."""

    def handle(parameters):
        name = rds._p(parameters, "SubscriptionName")
        if name not in _subscriptions:
            return rds._error("SubscriptionNotFound", f"Event subscription {name} not found.", 404)
        return operation(name, parameters)

    return handle


def create_event_subscription(parameters):
    name = rds._p(parameters, "SubscriptionName")
    if name in _subscriptions:
        return rds._error("SubscriptionAlreadyExist", f"Event subscription {name} already exists.", 400)
    arn = f"arn:aws:rds:{rds.get_region()}:{rds.get_account_id()}:es:{name}"
    _subscriptions[name] = {
        "CustSubscriptionId": name,
        "EventSubscriptionArn": arn,
        "SnsTopicArn": rds._p(parameters, "SnsTopicArn"),
        "SourceType": rds._p(parameters, "SourceType"),
        "SourceIdsList": listed(parameters, "SourceIds.SourceId"),
        "EventCategoriesList": listed(parameters, "EventCategories.EventCategory"),
        "Enabled": "true",
        "Status": "active",
    }
    rds._tags[arn] = rds._parse_tags(parameters)
    return answer("CreateEventSubscription", f"<EventSubscription>{subscription_xml(_subscriptions[name])}</EventSubscription>")


@with_subscription
def modify_event_subscription(name, parameters):
    it = _subscriptions[name]
    for key in ("SnsTopicArn", "SourceType"):
        it[key] = rds._p(parameters, key) or it[key]
    it["EventCategoriesList"] = listed(parameters, "EventCategories.EventCategory") or it["EventCategoriesList"]
    return answer("ModifyEventSubscription", f"<EventSubscription>{subscription_xml(it)}</EventSubscription>")


@with_subscription
def delete_event_subscription(name, _parameters):
    gone = _subscriptions.pop(name)
    rds._tags.pop(gone["EventSubscriptionArn"], None)
    return answer("DeleteEventSubscription", f"<EventSubscription>{subscription_xml(gone)}</EventSubscription>")


@with_subscription
def describe_event_subscription(name, _parameters):
    inner = f"<EventSubscription>{subscription_xml(_subscriptions[name])}</EventSubscription>"
    return answer("DescribeEventSubscriptions", f"<EventSubscriptionsList>{inner}</EventSubscriptionsList>")


def describe_event_subscriptions(parameters):
    if rds._p(parameters, "SubscriptionName"):
        return describe_event_subscription(parameters)
    inner = "".join(f"<EventSubscription>{subscription_xml(it)}</EventSubscription>" for it in _subscriptions.values())
    return answer("DescribeEventSubscriptions", f"<EventSubscriptionsList>{inner}</EventSubscriptionsList>")


@mend("services.rds:reset", "d582f5a2bc43")
def event_subscriptions_go_too(upstream):
    """There are no event subscriptions; those added here are forgotten with the rest."""
    rds._ACTION_MAP.setdefault("CreateEventSubscription", create_event_subscription)
    rds._ACTION_MAP.setdefault("ModifyEventSubscription", modify_event_subscription)
    rds._ACTION_MAP.setdefault("DeleteEventSubscription", delete_event_subscription)
    rds._ACTION_MAP.setdefault("DescribeEventSubscriptions", describe_event_subscriptions)

    def reset():
        _subscriptions.clear()
        upstream()

    return reset
