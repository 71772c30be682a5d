"""The tests, and the commands beside them. No setting of the shell they run in reaches them: it may be a live bridge's."""

import os

for _name in [name for name in os.environ if name.startswith("BRIDGE_") and not name.startswith("BRIDGE_TEST_")]:
    del os.environ[_name]
