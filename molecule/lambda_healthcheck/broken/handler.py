"""A function that does not work: the schedule must stay with the version before."""


def lambda_handler(event, context):
    print("about to fail")
    raise RuntimeError("broken on purpose")
