"""Contract suites and fakes for those who write stores and engines. Needs pytest only where fixtures are made."""
