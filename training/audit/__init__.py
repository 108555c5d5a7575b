"""The auditor's own acts: compare, reproduce, verify."""
