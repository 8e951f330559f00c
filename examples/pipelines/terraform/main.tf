# The root module of the pipeline. Copy the folder examples/terraform/lab into this one, and write your own values.

terraform {
  backend "s3" {
    bucket = "example-terraform-state"
    key    = "lab.tfstate"
    region = "eu-central-1"
  }
}

provider "aws" {
  region = "eu-central-1"
}

module "lab" {
  source        = "./lab"
  name          = "cad-course"
  image_name    = "cad-2026"
  instance_type = "stream.standard.medium"
  subnet_ids    = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
  lease_store   = "dynamodb://labstream-leases?region=eu-central-1"
  publish_pages = true
}

output "lab" {
  value = module.lab.lab
}
