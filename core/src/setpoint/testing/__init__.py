"""What tests of plugins need: fixtures with real components, and suites that test the contract."""
