# parlance. `make help` lists what can be made.

VERSION = 0.1.0
PREFIX = /usr/local
SYSCONFDIR = /etc
DESTDIR =

BUILD = build
CC = gcc
CLANG = clang
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wshadow -Wpointer-arith -Wwrite-strings -Wformat=2 -Wno-format-nonliteral -Wundef
HARDEN = -fstack-protector-strong -fstack-clash-protection \
	-D_FORTIFY_SOURCE=2 -fcf-protection -fPIE
HARDEN_LD = -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
SANITIZE =

# V=1 shows the commands.
ifneq ($(V),1)
Q = @
endif

ifeq ($(CI),true)
WARNINGS += -Werror
endif

libexecdir = $(PREFIX)/libexec/parlance
unitdir = $(PREFIX)/lib/systemd/system
userunitdir = $(PREFIX)/lib/systemd/user
sysusersdir = $(PREFIX)/lib/sysusers.d
tmpfilesdir = $(PREFIX)/lib/tmpfiles.d
mandir = $(PREFIX)/share/man

STD = -std=c17 -D_GNU_SOURCE
DEFINES = -DPARLANCE_VERSION='"$(VERSION)"' \
	-DPARLANCE_SYSCONF='"$(SYSCONFDIR)/parlance/parlance.conf"'
# Ours is compiled with lib/banned.h in front; llhttp is not ours.
OURS = $(STD) -include lib/banned.h -I. -I$(BUILD) $(DEFINES) $(WARNINGS)
ALL_CFLAGS = $(HARDEN) $(SANITIZE) $(CFLAGS) $(CPPFLAGS)

# Debian 12 ships llhttp as sources; later systems as a library.
ifneq ($(wildcard /usr/share/llhttp/llhttp.c),)
LLHTTP_OBJ = $(patsubst %,$(BUILD)/llhttp/%.o,api http llhttp)
# Strict: else it takes any byte for the CR and LF of a chunk.
LLHTTP_CFLAGS = -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
LLHTTP_LIBS =
else
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp 2>/dev/null)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp 2>/dev/null)
endif
OURS += $(LLHTTP_CFLAGS)

# --- what is built from what -------------------------------------------------

LIB = $(BUILD)/libparlance.a
# The doors' pure codecs, which clients, tests and benchmarks link as well.
WIRE = $(BUILD)/libwire.a
LIB_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*.c)) $(LLHTTP_OBJ)

# A handler is handlers/NAME.c and its parts handlers/NAME_*.c.
HANDLERS = chatfile hchat bcs toychat
HELPERS = fanout gallery serve
CLIENTS = chatfile toychat
# The commands that serve one door alone: thin fronts on serve.
FRONTS = chatfiled hchatd bcs_server toychatd

PROGRAMS = $(HANDLERS:%=$(BUILD)/handlers/%) $(HELPERS:%=$(BUILD)/helpers/%) \
	$(CLIENTS:%=$(BUILD)/bin/%) $(FRONTS:%=$(BUILD)/bin/%) \
	$(BUILD)/bin/parlance $(BUILD)/bin/bcs_client.py

# Only what is used gets linked. libsodium and libunistring are static: an
# idle handler is a third smaller so (HACKING.md).
LIBS = -Wl,--as-needed -Wl,--gc-sections $(LLHTTP_LIBS) \
	-l:libunistring.a -l:libsodium.a -lsqlite3
LIBS_helpers = -lsystemd
LIBS_clients_chatfile = -lcurl
LIBS_clients_toychat = -ledit

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS) compile_commands.json ## build everything into build/

parts = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $1.c $1_*.c))
link = $(Q)echo "  LD $@"; $(CC) $(ALL_CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

define handler
$(BUILD)/handlers/$1: $(call parts,handlers/$1) $(LIB)
	@mkdir -p $$(@D)
	$$(link) $$(LIBS)
endef
$(foreach h,$(HANDLERS),$(eval $(call handler,$h)))

# A talk of BCS lasts and is mostly silence: static, a process is a fifth
# smaller and wakes faster (HACKING.md). It needs libc.a; sanitizers cannot.
STATIC_NEEDS = $(wildcard $(foreach f,libc.a rcrt1.o,\
	$(shell $(CC) -print-file-name=$f)))
$(BUILD)/handlers/bcs: LIBS := $(filter-out -lsqlite3,$(LIBS))
ifeq ($(SANITIZE),)
$(BUILD)/handlers/bcs: HARDEN_LD := $(if $(word 2,$(STATIC_NEEDS)),\
	$(patsubst -pie,-static-pie,$(HARDEN_LD)),$(HARDEN_LD))
endif

define helper
$(BUILD)/helpers/$1: $(call parts,helpers/$1) \
		$(if $(filter fanout gallery,$1),\
		$(BUILD)/helpers/single.o $(BUILD)/helpers/watcher.o) $(LIB)
	@mkdir -p $$(@D)
	$$(link) $$(LIBS) $$(LIBS_helpers)
endef
$(foreach h,$(HELPERS),$(eval $(call helper,$h)))

define front
$(BUILD)/bin/$1: $(BUILD)/helpers/$1.o $(BUILD)/helpers/front.o $(LIB)
	@mkdir -p $$(@D)
	$$(link) $$(LIBS)
endef
$(foreach f,$(FRONTS),$(eval $(call front,$f)))

define client
$(BUILD)/bin/$1: $(call parts,clients/$1) $(BUILD)/clients/say.o $(WIRE) $(LIB)
	@mkdir -p $$(@D)
	$$(link) $$(LIBS) $$(LIBS_clients_$1)
endef
$(foreach c,$(CLIENTS),$(eval $(call client,$c)))

$(BUILD)/bin/parlance: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c)) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS)

# A program as it stands, but for the version.
$(BUILD)/bin/%.py: clients/%.py $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)sed 's/^VERSION = .*/VERSION = "$(VERSION)"/' $< > $@.new && \
		chmod 755 $@.new && mv $@.new $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(WIRE): $(patsubst %.c,$(BUILD)/%.o,$(wildcard handlers/*_wire.c))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

SECTIONS = -ffunction-sections -fdata-sections

# Other flags, other objects: the file changes when they do.
.PHONY: flags
FLAGS = $(CC) $(OURS) $(ALL_CFLAGS)
$(BUILD)/flags: flags
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@

$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) $(SECTIONS) $(LLHTTP_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(OURS) $(ALL_CFLAGS) $(SECTIONS) -MMD -MP -c -o $@ $<

# --- generated at build time -------------------------------------------------

# The seccomp filters, compiled with libseccomp here so that no handler needs it.
$(BUILD)/lib/gen/seccomp: lib/gen/seccomp.c
	@mkdir -p $(@D)
	$(CC) $(OURS) $(CFLAGS) -o $@ $< -lseccomp

FILTERS = any child fanout gallery $(HANDLERS) $(HANDLERS:%=%_template)
$(FILTERS:%=$(BUILD)/gen/seccomp_%.h): $(BUILD)/gen/seccomp_%.h: $(BUILD)/lib/gen/seccomp
	@mkdir -p $(@D)
	@echo "  GEN $@"
	$(Q)$< $* > $@.new && mv $@.new $@

$(BUILD)/lib/sandbox.o: $(BUILD)/gen/seccomp_child.h
$(BUILD)/lib/sandbox_any.o: $(BUILD)/gen/seccomp_any.h
HANDLER_RULES = $(HANDLERS:%=$(BUILD)/handlers/%_rules.o)
HELPER_RULES = $(foreach h,fanout gallery,$(BUILD)/helpers/$h_rules.o)
$(HANDLER_RULES): $(BUILD)/handlers/%_rules.o: $(BUILD)/gen/seccomp_%.h \
	$(BUILD)/gen/seccomp_%_template.h
$(HELPER_RULES): $(BUILD)/helpers/%_rules.o: $(BUILD)/gen/seccomp_%.h

# The schema as C strings, one a version.
$(BUILD)/gen/schema.h: lib/schema.sql Makefile
	@mkdir -p $(@D)
	sed '1,/^--= 1$$/d; s/^--= .*/,/; t; s/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' \
		$< > $@.new && mv $@.new $@

$(BUILD)/lib/store_open.o: $(BUILD)/gen/schema.h

# The page, as C arrays. The folder itself tells of files added and removed.
WEB = $(sort $(wildcard web/*))
$(BUILD)/lib/gen/embed: lib/gen/embed.c
	@mkdir -p $(@D)
	$(CC) $(OURS) $(CFLAGS) -o $@ $< -lz -lsodium

$(BUILD)/gen/web_assets.h: $(BUILD)/lib/gen/embed $(WEB) web
	@mkdir -p $(@D)
	@echo "  GEN $@"
	$(Q)$< $(WEB) > $@.new && mv $@.new $@

$(BUILD)/handlers/hchat_assets.o: $(BUILD)/gen/web_assets.h

$(BUILD)/lib/gen/conf: $(BUILD)/lib/gen/conf.o $(LIB)
	$(link)

etc/parlance.conf: $(BUILD)/lib/gen/conf lib/settings.c
	$< > $@.new && mv $@.new $@

compile_commands.json: Makefile
	@for f in $(wildcard lib/*.c handlers/*.c helpers/*.c clients/*.c \
		tools/*.c tests/unit/*.c); do \
		printf '{"directory":"%s","file":"%s","command":"cc %s -c %s"},\n' \
		"$$PWD" "$$f" "$(subst ",\\\",$(OURS)) $(CFLAGS)" "$$f"; \
	done | sed '$$s/,$$//; 1s/^/[/; $$s/$$/]/' > $@

# --- tests -------------------------------------------------------------------

UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
CORPUS = $(FUZZ:%=$(BUILD)/corpus/%)
# Programs that tests and benchmarks use: one file each.
TESTERS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bin/*.c))
BENCHES = $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(WIRE) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS) -lcmocka

$(BUILD)/corpus/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/driver.o $(WIRE) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS)

# It tries what each program's confinement leaves.
$(BUILD)/tests/bin/probe: $(HANDLER_RULES) $(HELPER_RULES)

LIBS_tests_powercut = -lfuse3
LIBS_tests_bin = $(LIBS_helpers)
$(BUILD)/tests/bin/%: $(BUILD)/tests/bin/%.o $(WIRE) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS) $(LIBS_tests_bin) $(LIBS_tests_$*)

$(BUILD)/tests/bin/powercut.o: OURS += -I/usr/include/fuse3

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(WIRE) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS) $(LIBS_helpers)

# What the benchmarks compare with: nothing of ours in it.
$(BUILD)/bench/static_%: bench/static_%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARNINGS) -O2 -static -o $@ $<

.PHONY: test-programs check check-long check-run asan check-asan fuzz bench
test-programs: all $(UNIT) $(CORPUS) $(TESTERS)

check: deps-check ## install what tests need, build, run every test
	@$(MAKE) check-run

check-long: deps-check ## the same with the full figures (slow)
	@TEST_SCALE=10 $(MAKE) check-run

check-run: test-programs
	@BUILD=$(BUILD) tests/run

ASAN = $(MAKE) BUILD=build/asan CFLAGS='-O1 -g' HARDEN=-fPIE \
	SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'

.PHONY: check-systemd
check-systemd: deps-check ## package and units alone, on booted machines (root)
	@BUILD=$(abspath $(BUILD)) bats --timing tests/deb.bats tests/systemd*.bats

asan: ## build everything with ASan and UBSan into build/asan/
	$(ASAN) all

check-asan: deps-check ## unit, corpus and filter tests in the sanitizer build
	@$(ASAN) test-programs
	@BUILD=build/asan PARLANCE_SANDBOX=off tests/run unit corpus filter

# libFuzzer: each target for FUZZ_SECONDS over its corpus and what it finds.
FUZZ_SECONDS = 60
fuzz: deps-check ## fuzz every target for FUZZ_SECONDS (60) each
	@$(MAKE) BUILD=build/fuzz CC=$(CLANG) CFLAGS='-O1 -g' HARDEN=-fPIE \
	    SANITIZE='-fsanitize=address,undefined,fuzzer-no-link' \
	    fuzz-run FUZZ_SECONDS=$(FUZZ_SECONDS)

$(BUILD)/libfuzzer/%: $(BUILD)/tests/fuzz/fuzz_%.o $(WIRE) $(LIB)
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer $(LIBS)

.PHONY: fuzz-run
fuzz-run: $(FUZZ:%=$(BUILD)/libfuzzer/%)
	@for t in $(FUZZ); do mkdir -p $(BUILD)/found/$$t; \
		(cd $(BUILD)/found && ../libfuzzer/$$t -max_total_time=$(FUZZ_SECONDS) \
		-print_final_stats=1 -verbosity=0 $$t \
		$(CURDIR)/tests/fuzz/corpus/$$t) || exit 1; done

bench: deps-check ## run the benchmarks (ratios within one run)
	@$(MAKE) all $(BENCHES) test-programs
	@BUILD=$(BUILD) bench/run

# The picture in the README, taken by the test that looks at the page.
.PHONY: screenshot
screenshot: deps-check all ## take docs/hchat.png anew
	@mkdir -p docs
	@at=$$(mktemp -d) && BUILD=$(abspath $(BUILD)) /usr/bin/python3 -B \
		tests/web/run.py screenshot $$at && \
		mv $$at/hchat.png docs/ && rm -r $$at

# --- dependencies ------------------------------------------------------------

DEPS = gcc libc6-dev pkg-config libsqlite3-dev libsystemd-dev llhttp-dev \
	libsodium-dev uthash-dev libcurl4-openssl-dev libedit-dev \
	libunistring-dev libseccomp-dev zlib1g-dev
DEPS_CHECK = bats bats-assert libcmocka-dev clang llvm libclang-rt-14-dev \
	clang-format cppcheck shellcheck curl netcat-openbsd socat sqlite3 \
	strace python3 pyflakes3 procps util-linux e2fsprogs libfuse3-dev fuse3 \
	mandoc tmux iproute2 chromium chromium-driver python3-selenium npm \
	nginx-light stunnel4 ucspi-tcp openssl debhelper lintian rsync \
	systemd-container
DEPS_BENCH = ngircd valgrind

.PHONY: deps deps-check
deps: ## install what building needs (Debian)
	@lib/gen/deps $(DEPS)
deps-check: ## install what the tests need, too (Debian)
	@lib/gen/deps $(DEPS) $(DEPS_CHECK)
bench: DEPS_CHECK += $(DEPS_BENCH)

# --- the rest ----------------------------------------------------------------

.PHONY: run install uninstall format format-check lint clean help
run: deps ## install what is missing, build, start every door over ./var
	@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) exec helpers/run $(PORTS)

MANPAGES = $(wildcard man/*.[1-8])
SOURCES_C = $(wildcard lib/*.[ch] lib/gen/*.c handlers/*.[ch] helpers/*.[ch] \
	clients/*.[ch] tools/*.[ch] tests/unit/*.[ch] tests/fuzz/*.[ch] \
	tests/bin/*.[ch] bench/*.[ch])
SCRIPTS = $(wildcard .ci/run tests/run tests/*.bats tests/*.bash \
	tests/systemd/host tests/systemd/package bench/run bench/systemd \
	helpers/run lib/gen/deps etc/inetd/parlance-door etc/tcpserver/run \
	debian/parlance.p*)

UNITS = $(wildcard $(addprefix systemd/parlance*.,socket service target timer))
ETC = $(DESTDIR)$(SYSCONFDIR)/parlance
# What goes where: programs people call, programs of ours, pages, units.
BIN_FILES = $(filter $(BUILD)/bin/%,$(PROGRAMS))
LIBEXEC_FILES = $(filter-out $(BUILD)/bin/%,$(PROGRAMS))
man_to = $(DESTDIR)$(mandir)/man$(subst .,,$(suffix $1))
INSTALLED = $(patsubst %,$(DESTDIR)$(PREFIX)/bin/%,$(notdir $(BIN_FILES))) \
	$(patsubst %,$(DESTDIR)$(libexecdir)/%,$(notdir $(LIBEXEC_FILES))) \
	$(foreach m,$(MANPAGES),$(call man_to,$m)/$(notdir $m)) \
	$(patsubst %,$(DESTDIR)$(unitdir)/%,$(notdir $(UNITS))) \
	$(patsubst %,$(DESTDIR)$(userunitdir)/%,$(notdir $(UNITS))) \
	$(DESTDIR)$(sysusersdir)/parlance.conf \
	$(DESTDIR)$(tmpfilesdir)/parlance.conf

# A unit, with the places that this installation has; and a user's manager's.
UNIT_SED = -e 's,@libexecdir@,$(libexecdir),' -e 's,@bindir@,$(PREFIX)/bin,' \
	-e 's,@sysconfdir@,$(SYSCONFDIR),'
unit = sed $1 $(UNIT_SED) $2 > $(DESTDIR)$3/$(notdir $2) && \
	chmod 644 $(DESTDIR)$3/$(notdir $2)

install: all ## install below DESTDIR and PREFIX
	install -d $(sort $(dir $(INSTALLED))) $(ETC)
	install $(BIN_FILES) $(DESTDIR)$(PREFIX)/bin
	install $(LIBEXEC_FILES) $(DESTDIR)$(libexecdir)
	$(foreach m,$(MANPAGES),install -m 644 $m $(call man_to,$m) &&) :
	@echo "  units into $(DESTDIR)$(unitdir) and $(userunitdir)"
	$Q$(foreach u,$(UNITS),$(call unit,,$u,$(unitdir)) && \
	    $(call unit,-f systemd/user.sed,$u,$(userunitdir)) &&) :
	install -m 644 systemd/sysusers.conf $(DESTDIR)$(sysusersdir)/parlance.conf
	install -m 644 systemd/tmpfiles.conf $(DESTDIR)$(tmpfilesdir)/parlance.conf
	@# One that is there may have been edited.
	test -e $(ETC)/parlance.conf || \
	    install -m 644 etc/parlance.conf $(ETC)

uninstall: ## remove what install put there, but no edited parlance.conf
	rm -f $(INSTALLED)
	! cmp -s etc/parlance.conf $(ETC)/parlance.conf || \
	    rm -f $(ETC)/parlance.conf
	@for d in $(DESTDIR)$(libexecdir) $(ETC); do \
	    test ! -d $$d || rmdir --ignore-fail-on-non-empty $$d; done

format: ## let clang-format have its way
	clang-format -i $(SOURCES_C)

format-check:
	clang-format --dry-run -Werror $(SOURCES_C)

lint: ## cppcheck, shellcheck and pyflakes
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
	    --enable=warning,portability,performance \
	    --suppress=missingIncludeSystem -D_GNU_SOURCE -I. -I$(BUILD) \
	    $(filter %.c,$(SOURCES_C))
	shellcheck -x $(SCRIPTS)
	pyflakes3 $(wildcard clients/*.py tests/*.py tests/*/*.py bench/*.py)

clean: ## remove what was built
	rm -rf build compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
.SECONDARY:
