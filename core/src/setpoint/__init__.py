"""Setpoint."""
