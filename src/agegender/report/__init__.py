"""From records to tables; imports neither torch nor hydra, so that it works on a laptop for a cluster's runs."""
