"""The process, and the ports through which it meets the world. Imports detectors, remediations, guardrails and model."""
