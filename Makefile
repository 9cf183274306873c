# The two commands are 'make run' and 'make test'; both do all their set-up.

.PHONY: run test test-long test-brokers test-observability test-package bench fuzz format lint clean deb install uninstall

# This machine's statistics, sent to a broker and shown as they arrive there. Ends with Ctrl-C.
run:
	Scripts/run

# Everything that can go wrong, checked: codec, client, brokers, recordings, fuzzing, both forms of the package.
test:
	Scripts/test

# The same with the long forms of tests: a million messages through two restarts of the broker, two minutes more.
test-long:
	PSISTATS_TEST_LONG=1 Scripts/test

# The tests of AMQPWire and psistats against RabbitMQ 3.10, 4.0 and 4.3, and whether these answer as docs/brokers.md says.
# Root: the newer ones run in chroots, made on first use. Prints the number of tests for each.
test-brokers:
	Scripts/setup
	Scripts/test-brokers
	Scripts/ask-brokers --check

# Logging, metrics, tracing and services of AMQPWire, with their package traits on, against a broker of its own.
test-observability:
	Scripts/setup
	Scripts/broker start rabbitmq --dir .build/observability-broker | sed 's/^/export /' >.build/observability.env
	. ./.build/observability.env && swift test --package-path Tests/Observability --scratch-path .build/observability --no-parallel; \
	    status=$$?; Scripts/broker stop rabbitmq --dir .build/observability-broker; exit $$status

# The Debian package of this machine's architecture; prints its path.
deb:
	Scripts/setup package
	Scripts/build-deb

# For systems without dpkg: 'make install', or 'make install PREFIX=/usr DESTDIR=/tmp/stage'; 'make uninstall' takes it away.
PREFIX ?= /usr/local
install:
	Scripts/setup build
	Scripts/install install "$(DESTDIR)" "$(PREFIX)"

uninstall:
	Scripts/install uninstall "$(DESTDIR)" "$(PREFIX)"

# Installs, upgrades, removes and purges the package in clean Debian 12 and 13 systems that boot under systemd-nspawn.
test-package:
	Scripts/setup package
	Scripts/test-package

# What a reading costs, and messages a second against rabbitmq-c; takes some minutes. See Benchmarks/README.md.
bench:
	Scripts/setup
	Benchmarks/metrics
	Benchmarks/run

# A long fuzzing run; 'make test' has a short one.
fuzz:
	Scripts/fuzz 600

format:
	swift format -i -r Package.swift Sources Tests Fuzz Benchmarks/Package.swift Benchmarks/Sources Examples/Package.swift Examples/Sources

lint:
	Scripts/lint

clean:
	Scripts/broker stop
	rm -rf .build Benchmarks/.build Examples/.build
