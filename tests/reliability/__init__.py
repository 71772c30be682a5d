"""What bridge promises about keeping and sending links, proven against faults. See docs/reliability.md.

Every fault asserts that it fired, and has a control that fails with the protection off.
"""
