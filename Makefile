# Each target works from a fresh clone: it makes .venv and installs what it needs into it, once.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NODE := $(BIN)/python ui/scripts/node.py
# One line for a step: what it prints is in .cache/make.log.
STEP := $(PYTHON) scripts/step.py
INSTALL := $(PIP) install --require-hashes --requirement
THIS := $(PIP) install --no-deps --no-build-isolation --editable .
TOOLS := .cache/tools/bin

.PHONY: screenshots help install serve ui test test-quick test-pythons test-newest test-guardrails lock audit sbom check format bench clean node packages chromium nginx libgomp

help:
	@echo "make serve       a chat at http://localhost:$(PORT), with a model that runs here"
	@echo "make ui          the <openai-chatkit> element, built from ui/"
	@echo "make test        every test; needs Chromium"
	@echo "make test-quick  the tests that take seconds"
	@echo "make test-pythons  the quick tests on the other Pythons that are here"
	@echo "make test-newest  the quick tests with the newest packages"
	@echo "make lock        requirements/ anew; LOCK=--upgrade takes newer versions"
	@echo "make audit       known weaknesses of what is installed; needs the registries' databases"
	@echo "make sbom        bills of materials, into dist/"
	@echo "make test-guardrails  exports with the package openai-guardrails"
	@echo "make check       lint, formatting, types"
	@echo "make screenshots  pictures of the element, into .cache/screenshots"
	@echo "make bench       speed, beside chatkit-python's own server"

install: .venv/dev

serve: ui .venv/run libgomp
	@$(STEP) "Fetching the model" $(BIN)/chatdock model pull
	@exec $(BIN)/chatdock serve --demo --host $(HOST) --port $(PORT)

# Looks whether the sources have changed; when not, this takes no time.
ui: node
	@$(STEP) "Building the chat element" $(BIN)/python ui/scripts/build.py

test: packages .venv/dev chromium nginx libgomp
	$(NODE) npm run --silent build
	$(NODE) npm run --silent test
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-quick: ui packages .venv/dev
	$(NODE) npm run --silent test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-pythons: packages .venv/dev
	$(BIN)/python -m tests.pythons

# What upper bounds and lock files hold back, in an environment of its own.
test-newest: packages
	@$(STEP) "Making an environment" $(PYTHON) -m venv --clear .cache/newest
	@$(PYTHON) scripts/newest.py > .cache/newest/requirements.txt
	@$(STEP) "Installing the newest packages" .cache/newest/bin/python -m pip --disable-pip-version-check install --upgrade --requirement .cache/newest/requirements.txt
	@$(STEP) "Installing this one" .cache/newest/bin/python -m pip --disable-pip-version-check install --no-deps --editable .
	@.cache/newest/bin/python scripts/newest.py --differences requirements/dev.txt
	.cache/newest/bin/python -m pytest -n 2 --dist loadfile -m "not slow"

# Resolves anew what pyproject.toml asks for, and writes it down with hashes.
lock: $(TOOLS)/installed
	@for set in "run --extra local --group build" "dev --extra local --group build --group dev" "node --only-group node" "tools --only-group tools"; do \
		$(PYTHON) scripts/lock.py $(TOOLS)/uv $$set $(LOCK) || exit 1; done

# Needs the registries' databases of advisories, and fails where it cannot ask them; not a part of `make check`, which has to pass without a network.
audit: $(TOOLS)/installed node
	$(TOOLS)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/run.txt
	$(NODE) npm audit --omit=dev

sbom: $(TOOLS)/installed node
	@mkdir -p dist
	@$(STEP) "Listing the Python packages" $(TOOLS)/cyclonedx-py requirements --pyproject pyproject.toml --output-file dist/chatdock.cdx.json requirements/run.txt
	$(NODE) npm sbom --sbom-format cyclonedx --package-lock-only > dist/chat-element.cdx.json

# The package brings spaCy: too much for everybody's .venv, where a likeness takes its place.
test-guardrails:
	$(PYTHON) -m venv .cache/guardrails
	.cache/guardrails/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.cache/guardrails/bin/python -m pip install --quiet --editable '.[guardrails]' --group dev
	CHATDOCK_TEST_GUARDRAILS=1 .cache/guardrails/bin/python -m pytest tests/exports/test_guardrails_package.py

check: packages .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate_configuration.py --check
	$(BIN)/python -m tests.ui.coverage --check
	$(NODE) npm run --silent check

format: packages .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/generate_configuration.py
	$(BIN)/python -m tests.ui.coverage
	$(NODE) npm run --silent format

screenshots: ui .venv/dev chromium
	$(BIN)/python docs/screenshots.py

bench: ui .venv/dev chromium
	$(BIN)/python -m bench

clean:
	rm -rf .venv tests/node/node_modules tests/react/node_modules tests/react/dist ui/node_modules ui/dist src/chatdock/web/component src/chatdock/web/demo

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Chatdock needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(STEP) "Making .venv" $(PYTHON) -m venv .venv

.venv/run: pyproject.toml requirements/run.txt | .venv/bin/python
	@$(STEP) "Installing the Python packages" $(INSTALL) requirements/run.txt
	@$(STEP) "Installing Chatdock" $(THIS)
	@touch $@

.venv/dev: pyproject.toml requirements/dev.txt | .venv/bin/python
	@$(STEP) "Installing the Python packages" $(INSTALL) requirements/dev.txt
	@$(STEP) "Installing Chatdock" $(THIS)
	@touch $@ .venv/run

$(TOOLS)/installed: requirements/tools.txt
	@$(STEP) "Making an environment for tools" $(PYTHON) -m venv .cache/tools
	@$(STEP) "Installing tools" $(TOOLS)/python -m pip --disable-pip-version-check install --require-hashes --requirement requirements/tools.txt
	@touch $@

node: requirements/node.txt | .venv/bin/python
	@$(NODE) node --version >/dev/null 2>&1 || $(STEP) "Installing Node.js" $(INSTALL) requirements/node.txt

packages: node
	@$(STEP) "Fetching npm packages" $(BIN)/python ui/scripts/build.py --install

chromium:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(STEP) "Installing Chromium" sh -c "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium"; \
	else echo "The browser tests need Chromium; on Debian: sudo apt-get install chromium"; exit 1; fi

# Its configuration in docs/proxy.md is tried; the package is unpacked, not installed, so that no server is started.
nginx:
	@if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || [ -x .cache/nginx/usr/sbin/nginx ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(STEP) "Fetching nginx" sh -c "apt-get update && mkdir -p .cache/nginx && cd .cache/nginx && apt-get download nginx && dpkg -x nginx_*.deb ."; \
	else echo "nginx is not installed: the tests of its configuration are skipped; on Debian: sudo apt-get install nginx"; fi

# What runs the embedded model is linked against GCC's OpenMP library, which small images lack.
libgomp:
	@if $(BIN)/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(STEP) "Installing libgomp" sh -c "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libgomp1"; \
	else echo "The embedded model needs libgomp; on Debian: sudo apt-get install libgomp1"; exit 1; fi
