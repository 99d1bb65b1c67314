"""Contract suites and fakes for those who write stores and engines. The suites need pytest."""
