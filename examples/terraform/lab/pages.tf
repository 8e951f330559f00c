# Only with publish_pages: a private bucket, to which the playbooks upload the learners' pages, and CloudFront, which shows
# them. Whoever knows the address of a page can open it, so nothing here lists any.

locals {
  # The resources below exist once or not at all.
  pages_count = var.publish_pages ? 1 : 0

  # Policies that CloudFront has for all accounts. With CachingDisabled, each request gets the page as it is now in the
  # bucket, with the Cache-Control that the role has uploaded it with: no-store. The referrer and robots that a page allows,
  # which are none, it says itself.
  caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03"
}

resource "aws_s3_bucket" "pages" {
  count         = local.pages_count
  bucket_prefix = "lab-pages-"
  tags          = var.tags

  # What is left in it when the lab is destroyed are pages of labs that have ended.
  force_destroy = true
}

# The bucket has no versions: what a page was before would have the streaming URL.

resource "aws_s3_bucket_public_access_block" "pages" {
  count                   = local.pages_count
  bucket                  = aws_s3_bucket.pages[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "pages" {
  count  = local.pages_count
  bucket = aws_s3_bucket.pages[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "pages" {
  count  = local.pages_count
  bucket = aws_s3_bucket.pages[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# CloudFront may read pages. It may not list them, so an unknown address is "access denied".
data "aws_iam_policy_document" "pages" {
  count = local.pages_count

  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.pages[0].arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceArn"
      values   = [aws_cloudfront_distribution.pages[0].arn]
    }
  }
}

resource "aws_s3_bucket_policy" "pages" {
  count  = local.pages_count
  bucket = aws_s3_bucket.pages[0].id
  policy = data.aws_iam_policy_document.pages[0].json

  depends_on = [aws_s3_bucket_public_access_block.pages]
}

resource "aws_cloudfront_origin_access_control" "pages" {
  count                             = local.pages_count
  name                              = aws_s3_bucket.pages[0].id
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "pages" {
  count       = local.pages_count
  enabled     = true
  comment     = "Pages of labs on ${var.name}"
  price_class = "PriceClass_100"
  tags        = var.tags

  origin {
    origin_id                = "pages"
    domain_name              = aws_s3_bucket.pages[0].bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.pages[0].id
  }

  default_cache_behavior {
    target_origin_id           = "pages"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.caching_disabled
    response_headers_policy_id = local.security_headers
    viewer_protocol_policy     = "https-only"
    compress                   = true
  }

  # Otherwise a page that was opened before it was uploaded would be missing for ten more seconds.
  custom_error_response {
    error_code            = 403
    error_caching_min_ttl = 0
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  # The address is that of CloudFront. For one of your own, add aliases and its certificate here.
  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
