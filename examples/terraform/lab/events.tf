# Only with event_driven: what ansible-rulebook, which runs on a host of yours, needs for the rulebooks
# labstream.aws.end_lab and labstream.aws.restore_fleet. Each of them has a queue of its own, since whoever reads a message
# of SQS also deletes it. No message has a streaming URL or a learner in it.

locals {
  events_count = var.event_driven == null ? 0 : 1
  lab_ends     = try(var.event_driven.lab_ends, {})

  # What names of queues and schedules may have in them.
  events_name = substr(replace(var.name, ".", "-"), 0, 60)
}

resource "aws_sqs_queue" "lab_ends" {
  count                   = local.events_count
  name                    = "${local.events_name}-lab-ends"
  sqs_managed_sse_enabled = true
  tags                    = var.tags

  lifecycle {
    precondition {
      condition     = can(regex("^[a-zA-Z]", var.name))
      error_message = "With event_driven, the name begins with a letter: the rulebooks ignore messages with other names."
    }
  }
}

resource "aws_sqs_queue" "fleet_alarms" {
  count                   = local.events_count
  name                    = "${local.events_name}-fleet-alarms"
  sqs_managed_sse_enabled = true
  tags                    = var.tags
}

# EventBridge Scheduler sends the first by a role.

data "aws_iam_policy_document" "scheduler" {
  count = local.events_count

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  count              = local.events_count
  name_prefix        = "lab-ends-"
  description        = "Send messages on the ends of labs on ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.scheduler[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.events_count
  name  = "send"
  role  = aws_iam_role.scheduler[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [aws_sqs_queue.lab_ends[0].arn] }]
  })
}

resource "aws_scheduler_schedule_group" "lab_ends" {
  count = local.events_count
  name  = aws_sqs_queue.lab_ends[0].name
  tags  = var.tags
}

resource "aws_scheduler_schedule" "lab_ends" {
  for_each = local.lab_ends

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.lab_ends[0].name
  schedule_expression          = "at(${each.value.at}:00)"
  schedule_expression_timezone = each.value.timezone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sqs_queue.lab_ends[0].arn
    role_arn = aws_iam_role.scheduler[0].arn
    input = jsonencode({
      action = "end_lab"
      lab    = each.key
      stack  = var.name
      fleet  = var.name
    })
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# CloudWatch notices when the fleet has no instances left. A fleet that stops on its own makes no API call.

resource "aws_cloudwatch_metric_alarm" "fleet" {
  count               = local.events_count
  alarm_name          = "${var.name}-without-capacity"
  alarm_description   = "The AppStream fleet ${var.name} has no instances. Outside labs, that is as it should be."
  namespace           = "AWS/AppStream"
  metric_name         = "ActualCapacity"
  dimensions          = { Fleet = var.name }
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 5
  tags                = var.tags

  # A stopped fleet may send nothing.
  treat_missing_data = "breaching"
}

resource "aws_cloudwatch_event_rule" "fleet" {
  count       = local.events_count
  name        = aws_sqs_queue.fleet_alarms[0].name
  description = "The AppStream fleet ${var.name} has lost its instances"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.cloudwatch"]
    detail-type = ["CloudWatch Alarm State Change"]
    resources   = [aws_cloudwatch_metric_alarm.fleet[0].arn]
    detail      = { state = { value = ["ALARM"] } }
  })
}

resource "aws_cloudwatch_event_target" "fleet" {
  count     = local.events_count
  rule      = aws_cloudwatch_event_rule.fleet[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.fleet_alarms[0].arn

  depends_on = [aws_sqs_queue_policy.fleet_alarms]
}

data "aws_iam_policy_document" "fleet_alarms" {
  count = local.events_count

  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.fleet_alarms[0].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.fleet[0].arn]
    }
  }
}

resource "aws_sqs_queue_policy" "fleet_alarms" {
  count     = local.events_count
  queue_url = aws_sqs_queue.fleet_alarms[0].id
  policy    = data.aws_iam_policy_document.fleet_alarms[0].json
}

# For the host that runs ansible-rulebook, in addition to lab_policy.
resource "aws_iam_policy" "rulebook_policy" {
  count       = local.events_count
  name        = "${var.name}-${local.region}-rulebooks"
  description = "Receive the messages on labs on the AppStream fleet ${var.name}"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"]
      Resource = [aws_sqs_queue.lab_ends[0].arn, aws_sqs_queue.fleet_alarms[0].arn]
    }]
  })
}

output "rulebooks" {
  description = "Variables of the rulebooks of labstream.aws, null without event_driven."
  value = var.event_driven == null ? null : {
    lab_ends_queue     = aws_sqs_queue.lab_ends[0].name
    fleet_alarms_queue = aws_sqs_queue.fleet_alarms[0].name
    queues_region      = local.region
  }
}
