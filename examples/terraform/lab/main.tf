# What a lab on AppStream 2.0 needs and keeps: a stack, a fleet and an IAM policy, and as the output "lab" the variables
# that the playbooks labstream.aws.start_lab and labstream.aws.end_lab take from them. See README.md.

terraform {
  required_version = ">= 1.5.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0.0, < 7.0.0"
    }
  }
}

resource "aws_appstream_stack" "lab" {
  name = var.name
  tags = var.tags
}

# Terraform starts a new fleet, and one that it had to stop for a change, and leaves it running.
resource "aws_appstream_fleet" "lab" {
  name          = var.name
  image_name    = var.image_name
  instance_type = var.instance_type
  fleet_type    = var.fleet_type
  stream_view   = "DESKTOP"
  tags          = var.tags

  compute_capacity {
    desired_instances = var.sessions
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  lifecycle {
    # start_lab scales the fleet.
    ignore_changes = [compute_capacity]
  }
}

resource "aws_appstream_fleet_stack_association" "lab" {
  stack_name = aws_appstream_stack.lab.name
  fleet_name = aws_appstream_fleet.lab.name

  # Destroyed before the policy: as long as AppStream rejects this, end_lab is still allowed.
  depends_on = [aws_iam_policy.lab_policy]
}

locals {
  # The stack's ARN says where all is. That of the fleet is built from its name, so that a change of the fleet leaves the
  # policy as it is.
  arn       = split(":", aws_appstream_stack.lab.arn)
  partition = local.arn[1]
  region    = local.arn[3]
  account   = local.arn[4]
  appstream = "arn:${local.partition}:appstream:${local.region}:${local.account}"

  # Of the table, if there is one: the ARN up to its name, its name, and its region.
  tables = [
    for store in var.lease_store[*] :
    regex("^dynamodb://(?P<arn>arn:[^?]+/)?(?P<name>[^?]+)(?:[?](?:.*&)?region=(?P<region>[^&]+))?", store)
  ]
  table_arns = [
    for table in local.tables : join("", [
      coalesce(
        table.arn,
        "arn:${local.partition}:dynamodb:${coalesce(table.region, local.region)}:${local.account}:table/"
      ),
      table.name
    ])
  ]
}

# For those who run start_lab and end_lab: the policies of the guide "Authentication", in one.
resource "aws_iam_policy" "lab_policy" {
  name        = "${var.name}-${local.region}"
  description = "Start and end labs on the AppStream stack and fleet ${var.name}"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect = "Allow"
          Action = [
            "appstream:DescribeStacks",
            "appstream:DescribeFleets",
            "appstream:DescribeImages",
            "appstream:DescribeApplicationFleetAssociations",
            "appstream:DescribeApplications",
            "appstream:ExpireSession",
          ]
          Resource = ["*"]
        },
        {
          Effect = "Allow"
          Action = [
            "appstream:ListAssociatedFleets",
            "appstream:CreateStreamingURL",
            "appstream:StartFleet",
            "appstream:StopFleet",
            "appstream:UpdateFleet",
            "appstream:DescribeSessions",
            "appstream:ListAssociatedStacks",
          ]
          Resource = ["${local.appstream}:stack/${var.name}", "${local.appstream}:fleet/${var.name}"]
        },
      ],
      [
        for arn in local.table_arns : {
          Effect = "Allow"
          Action = [
            "dynamodb:DescribeTable",
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
          ]
          Resource = [arn]
        }
      ],
      [
        for bucket in aws_s3_bucket.pages : {
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [bucket.arn]
        }
      ],
      [
        for bucket in aws_s3_bucket.pages : {
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = ["${bucket.arn}/*"]
        }
      ],
    )
  })
}

output "lab" {
  description = "Variables of the roles labstream.aws.appstream_lab and labstream.aws.lab_handout."
  value = {
    for name, value in {
      appstream_lab_stack_name  = aws_appstream_fleet_stack_association.lab.stack_name
      appstream_lab_fleet_name  = aws_appstream_fleet_stack_association.lab.fleet_name
      appstream_lab_region      = local.region
      appstream_lab_lease_store = var.lease_store
      lab_handout_s3_bucket     = one(aws_s3_bucket.pages[*].bucket)
      lab_handout_s3_region     = var.publish_pages ? local.region : null
      lab_handout_base_url      = one([for each in aws_cloudfront_distribution.pages : "https://${each.domain_name}"])
    } : name => value if value != null
  }
}
