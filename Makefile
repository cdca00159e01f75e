# childflow: one command tree, one network.
#
#   make              programs, in build/bin
#   make demo         install what is missing, build, run a real command sandboxed, show what it did
#   make check        install what is missing, build, run every test
#   make install      PREFIX=/usr/local DESTDIR=      make uninstall
#   make deb          Debian packages, one for each program, in build/deb
#   make DEBUG=1      sanitizers; the sandbox names a forbidden call instead of only killing
#   make lint         clang-tidy, cppcheck, mandoc, shellcheck
#   make fuzz         run each fuzz target for FUZZ_SECONDS (60)
#   make soak         an hour under load, in which nothing may grow (SOAK_SECONDS)
#   make bench        measure beside pasta and slirp4netns (root; BENCH_ARGS=--quick: 3 minutes)
#   make deps         install Debian packages that are missing (asks apt; root or sudo)
#   make clean
#
# V=1 shows the commands.  Everything that is made goes to build/.

VERSION    := 0.1.0
PREFIX     ?= /usr/local
LIBEXECDIR ?= $(PREFIX)/libexec/childflow
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/childflow
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
CC         ?= cc
DEBUG      ?= 0
FUZZ_SECONDS ?= 60
JOBS       := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

PROGS   := cf-spawn cf-netstack cf-dns cf-proxy cf-capture cf-doctor cf-upstream cf-upstream-tls \
	cf-listen
HELPERS := cf-netstack cf-dns cf-proxy cf-capture cf-doctor cf-upstream cf-upstream-tls cf-listen \
	cf-toml

# What a program links is part of what it can do.  A short row is a good row.
LIBS.cf-spawn    := libseccomp libmnl jansson libidn2 nettle
LIBS.cf-netstack := libseccomp
LIBS.cf-dns      := libuv libcares libseccomp jansson libidn2
LIBS.cf-proxy    := libuv libseccomp jansson libnghttp2 nettle
LIBS.cf-capture  := libuv libseccomp libpcap
LIBS.cf-upstream := libuv libseccomp nettle
LIBS.cf-upstream-tls := libuv libseccomp nettle libssl libcrypto
LIBS.cf-listen   := libuv libseccomp libidn2
LIBS.cf-doctor   := libseccomp libmnl jansson libidn2 nettle ncursesw
LIBS.shared      := libuv libseccomp jansson libidn2 nettle

# Where the files of a program are, if not in a folder of its name: helpers that only cf-proxy has.
DIR.cf-upstream     := cf-proxy/upstream
DIR.cf-upstream-tls := cf-proxy/upstream-tls
DIR.cf-listen       := cf-proxy/listen
dir_of = $(or $(DIR.$(1)),$(1))

# Files of one program that another is made with too: cf-doctor tries what cf-spawn does, and
# cf-upstream-tls is cf-upstream with TLS in place of none, for runs with an https:// proxy.
ALSO.cf-upstream-tls := $(patsubst %.c,%.o,$(filter-out cf-proxy/upstream/notls.c, \
	$(wildcard cf-proxy/upstream/*.c)))
ALSO.cf-doctor   := $(patsubst %,cf-spawn/%.o,batch held kpath netlink nftables routing tun)
# Profiles mean the same to both.
ALSO.cf-doctor   += $(patsubst %,cf-spawn/%.o,capture convert helpgroups hosts identity options profile profile_key \
	pipes proxyopts runopts seal settings tighten tomlread trust)

DEPS_BUILD := gcc make pkg-config libc6-dev libuv1-dev libc-ares-dev libpcap-dev libseccomp-dev \
	libjansson-dev libmnl-dev libidn2-dev libncurses-dev libnghttp2-dev nettle-dev libssl-dev \
	libtomlplusplus-dev g++ check
DEPS_TEST  := nginx-light dnsmasq-base curl iproute2 nftables iputils-ping bind9-dnsutils iperf3 openssl \
	netcat-openbsd socat jq python3-minimal util-linux libcap2-bin uidmap ca-certificates \
	expect tshark traceroute procps tcpdump mtr-tiny iputils-tracepath nmap tftp-hpa \
	ngtcp2-client ngtcp2-server unbound busybox-static python3-jsonschema tinyproxy \
	squid-openssl microsocks dante-server stunnel4 haproxy openssh-server strace \
	bash-completion zsh fish mandoc man-db bubblewrap
DEPS_BENCH := passt slirp4netns wrk dnsperf iperf3 nginx-light dnsmasq-base python3 iproute2 \
	iputils-ping util-linux procps proxychains4 microsocks tinyproxy stunnel4 openssl
DEPS_DEB   := debhelper
DEPS_LINT  := clang-tidy cppcheck mandoc shellcheck

ifeq ($(DEBUG),1)
B       := build/debug
MODE    := -O1 -DCF_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
else
B       := build
MODE    := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif
Q       := $(if $(V),,@)
# A table's row ends where the rest is zero, so missing fields are no sign of a mistake.
WARN    := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wconversion -Wno-sign-conversion -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror=implicit-function-declaration
CPPFLAGS += -D_GNU_SOURCE -DCF_VERSION='"$(VERSION)"' -Ishared
CFLAGS  += -std=c17 -g -fPIE -fno-strict-aliasing $(MODE) $(WARN)
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed

objs  = $(patsubst %.c,$(B)/%.o,$(wildcard $(call dir_of,$(1))/*.c)) $(addprefix $(B)/,$(ALSO.$(1)))
parts = $(filter-out %/main.o,$(call objs,$(1)))
cflags = $(shell pkg-config --cflags $(LIBS.$(1)))
libs   = $(shell pkg-config --libs $(LIBS.$(1)))

.PHONY: all check check-unit check-sandbox check-net check-fuzz deb demo deps deps-missing fuzz lint \
	install uninstall clean
.DELETE_ON_ERROR:
all: $(PROGS:%=$(B)/bin/%) $(B)/bin/cf-toml $(B)/bin/childflow

# ---- programs ----

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(call cflags,$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<

$(B)/libcf.a: $(call objs,shared)
	$(Q)rm -f $@ && ar rcs $@ $^

define PROG
$(B)/bin/$(1): $(call objs,$(1)) $(B)/libcf.a
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK    $$@")
	$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $(call objs,$(1)) $(B)/libcf.a $$(call libs,$(1))
endef
$(foreach p,$(PROGS),$(eval $(call PROG,$(p))))

# The only C++: cf-spawn's converter of profiles is a program of its own, so that cf-spawn links none.
# It brings its C++ library along, which starts faster than one that has to be found.
CXX      ?= c++
CXXFLAGS += -std=c++20 -g -fPIE -fno-strict-aliasing -fno-exceptions -fno-rtti $(MODE) \
	-Wall -Wextra -Wno-missing-field-initializers
$(B)/bin/cf-toml: cf-spawn/toml.cc cf-spawn/tomlread.h $(B)/libcf.a Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CXX     $@")
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS) -static-libstdc++ -static-libgcc -o $@ $< \
	    $(B)/libcf.a $(shell pkg-config --libs libseccomp)

$(B)/cf-proxy/upstream-tls/%.o: CPPFLAGS += -Icf-proxy/upstream
$(B)/tests/sandbox/cf-upstream-tls/%: CPPFLAGS += -Icf-proxy/upstream

$(B)/bin/childflow: $(B)/bin/cf-spawn
	$(Q)ln -sf cf-spawn $@

# Where these look for helpers is compiled in: a program in build/bin finds those beside it, an
# installed one those in LIBEXECDIR.
FINDERS := cf-spawn cf-dns cf-doctor cf-proxy cf-listen
define FINDER
$(B)/$(call dir_of,$(1))/paths.o: CPPFLAGS += -DCF_LIBEXECDIR='"$(abspath $(B)/bin)"' -DCF_BINDIR='"$(abspath $(B)/bin)"'
$(B)/installed/$(call dir_of,$(1))/paths.o: $(call dir_of,$(1))/paths.c Makefile $(B)/installed/libexecdir
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(call cflags,$(1)) -DCF_LIBEXECDIR='"$$(LIBEXECDIR)"' -DCF_BINDIR='"$$(PREFIX)/bin"' -c -o $$@ $$<
$(B)/installed/bin/$(1): $(filter-out $(B)/$(call dir_of,$(1))/paths.o,$(call objs,$(1))) $(B)/installed/$(call dir_of,$(1))/paths.o $(B)/libcf.a
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $(call libs,$(1))
endef
$(foreach p,$(FINDERS),$(eval $(call FINDER,$(p))))
HELPER_FILES := $(foreach p,$(HELPERS),$(B)/$(if $(filter $(p),$(FINDERS)),installed/)bin/$(p))
# Changes when LIBEXECDIR does.
$(B)/installed/libexecdir: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBEXECDIR) $(PREFIX)' | cmp -s - $@ || echo '$(LIBEXECDIR) $(PREFIX)' >$@
FORCE:

# Completions of shells, out of the programs' own tables.
COMPLETED := cf-spawn cf-doctor cf-dns cf-proxy cf-capture cf-netstack cf-upstream
$(B)/completions/made: man/completions.awk $(COMPLETED:%=$(B)/bin/%) $(B)/bin/cf-listen
	$(if $(V),,@echo "  GEN     $(@D)")
	$(Q)mkdir -p $(addprefix $(@D)/,bash zsh fish)
	$(Q)awk -v bin=$(B)/bin -v out=$(@D) -f $< $(COMPLETED)
	$(Q)touch $@

EXAMPLES := $(wildcard man/examples/*)
# -C leaves a file alone that is there already: a program may be starting just now.
install: all $(FINDERS:%=$(B)/installed/bin/%) $(B)/completions/made
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(LIBEXECDIR) $(MANDIR)/man1 $(MANDIR)/man5 \
	    $(MANDIR)/man7 $(PREFIX)/share/childflow $(DOCDIR)/examples $(BASHDIR) $(ZSHDIR) $(FISHDIR))
	install -C -m 755 $(B)/installed/bin/cf-spawn $(DESTDIR)$(PREFIX)/bin/cf-spawn
	ln -sf cf-spawn $(DESTDIR)$(PREFIX)/bin/childflow
	for f in $(HELPER_FILES); do \
	    p=$${f##*/} && install -C -m 755 $$f $(DESTDIR)$(LIBEXECDIR)/$$p && \
	    ln -sf $(LIBEXECDIR)/$$p $(DESTDIR)$(PREFIX)/bin/$$p || exit 1; done
	for m in man/*.[1-9]; do install -C -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/ || exit 1; done
	install -C -m 644 shared/*.schema.json $(DESTDIR)$(PREFIX)/share/childflow/
	ln -sf cf-spawn.1 $(DESTDIR)$(MANDIR)/man1/childflow.1
	install -C -m 644 $(B)/completions/bash/* $(DESTDIR)$(BASHDIR)/
	ln -sf cf-spawn $(DESTDIR)$(BASHDIR)/childflow
	install -C -m 644 $(B)/completions/zsh/* $(DESTDIR)$(ZSHDIR)/
	install -C -m 644 $(B)/completions/fish/* $(DESTDIR)$(FISHDIR)/
	install -C -m 644 README.md $(DESTDIR)$(DOCDIR)/
	install -C -m 755 $(filter %.py,$(EXAMPLES)) $(DESTDIR)$(DOCDIR)/examples/
	install -C -m 644 $(filter-out %.py,$(EXAMPLES)) $(DESTDIR)$(DOCDIR)/examples/

uninstall:
	for p in $(PROGS) cf-toml childflow; do rm -f $(DESTDIR)$(PREFIX)/bin/$$p; done
	for p in $(HELPERS); do rm -f $(DESTDIR)$(LIBEXECDIR)/$$p; done
	-rmdir $(DESTDIR)$(LIBEXECDIR)
	for m in man/*.[1-9]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
	rm -f $(DESTDIR)$(MANDIR)/man1/childflow.1
	for s in shared/*.schema.json; do rm -f $(DESTDIR)$(PREFIX)/share/childflow/$${s##*/}; done
	for p in $(COMPLETED) childflow; do rm -f $(DESTDIR)$(BASHDIR)/$$p $(DESTDIR)$(ZSHDIR)/_$$p \
	    $(DESTDIR)$(FISHDIR)/$$p.fish; done
	rm -f $(EXAMPLES:man/%=$(DESTDIR)$(DOCDIR)/%) $(DESTDIR)$(DOCDIR)/README.md
	-rmdir $(DESTDIR)$(PREFIX)/share/childflow $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)

# ---- tests ----
# tests/unit/PART/test_X.c and tests/sandbox/PART/test_X.c link all files of PART but its main.c.
# tests/fuzz/PART/fuzz_X.c likewise, with tests/fuzz/corpus/X/ as its inputs.
# A test may compile rules, which links libidn2; its program does not.

part = $(word 3,$(subst /, ,$(1)))
heads = $(wildcard $(dir $(1))*.h tests/unit/*.h $(call dir_of,$(call part,$(1)))/*.h shared/*.h)
TEST_SRC := $(wildcard tests/unit/*/test_*.c tests/sandbox/*/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*/fuzz_*.c)
TESTS    := $(TEST_SRC:%.c=$(B)/%)
FUZZERS  := $(FUZZ_SRC:%.c=$(B)/%)

define TEST
$(B)/$(1): $(1).c $(if $(filter shared,$(call part,$(1))),,$(call parts,$(call part,$(1)))) $(B)/libcf.a $(call heads,$(1))
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  TEST    $(1)")
	$(Q)$$(CC) $$(CPPFLAGS) -I$(call dir_of,$(call part,$(1))) $$(CFLAGS) -Wno-missing-prototypes $$(LDFLAGS) \
	    $$(call cflags,$(call part,$(1))) $$(shell pkg-config --cflags check) -o $$@ \
	    $$(filter-out %.h,$$^) $$(shell pkg-config --libs check libidn2) $$(call libs,$(call part,$(1)))
endef
$(foreach t,$(TEST_SRC:%.c=%),$(eval $(call TEST,$(t))))

# Without clang's libFuzzer a small driver runs the corpus and then mutations of it.
define FUZZ
$(B)/$(1): $(1).c tests/fuzz/driver.c $(if $(filter shared,$(call part,$(1))),,$(call parts,$(call part,$(1)))) $(B)/libcf.a $(call heads,$(1))
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  FUZZ    $(1)")
	$(Q)$$(CC) $$(CPPFLAGS) -I$(call dir_of,$(call part,$(1))) $$(CFLAGS) -Wno-missing-prototypes $$(LDFLAGS) \
	    $$(call cflags,$(call part,$(1))) -o $$@ $$(filter-out %.h,$$^) \
	    $$(shell pkg-config --libs libidn2) $$(call libs,$(call part,$(1)))
endef
$(foreach t,$(FUZZ_SRC:%.c=%),$(eval $(call FUZZ,$(t))))

check: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) all tests
	$(Q)tests/run $(B)
check-unit check-sandbox check-fuzz check-net: check-%: all tests
	$(Q)tests/run $(B) $*
.PHONY: tests
tests: $(TESTS) $(FUZZERS) $(B)/tests/bench/wire $(B)/tests/bench/plaintun $(B)/tests/net/refuse $(B)/tests/net/ways $(B)/tests/net/faulty

fuzz:
	$(Q)$(MAKE) --no-print-directory $(JOBS) DEBUG=1 tests
	$(Q)tests/fuzz/run build/debug $(FUZZ_SECONDS)

soak: export SOAK_SECONDS ?= 3600
soak: all
	$(Q)tests/net/soak.sh $(B)
.PHONY: soak

# What it measures is installed where the net tests install it too.
BENCH_TOOLS := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
$(BENCH_TOOLS) $(B)/tests/net/refuse $(B)/tests/net/ways $(B)/tests/net/faulty: $(B)/%: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  TOOL    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

.PHONY: bench
bench:
	$(Q)tests/deps $(DEPS_BUILD) $(DEPS_BENCH)
	$(Q)$(MAKE) --no-print-directory all $(BENCH_TOOLS)
	$(Q)flock $(B) $(MAKE) -s install PREFIX=/srv/cf DESTDIR=$(abspath $(B))/test-root
	$(Q)tests/bench/run $(B) $(BENCH_ARGS)

demo: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)tests/demo/run $(B)/bin

lint:
	$(Q)tests/lint $(CPPFLAGS) -Icf-proxy/upstream -Icf-proxy/listen $(foreach p,$(PROGS) shared,$(call cflags,$(p)))

# ---- packages ----
# debhelper wants a folder debian where it works: a copy.
deb:
	$(Q)tests/deps $(DEPS_BUILD) $(DEPS_DEB)
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(B)/completions/made
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb/tree && cp -r .debian $(B)/deb/tree/debian
	$(Q)cd $(B)/deb/tree && env -u MAKEFLAGS TOP=$(CURDIR) DEB_BUILD_OPTIONS=noautodbgsym \
	    DEB_RULES_REQUIRES_ROOT=no debian/rules binary $(if $(V),,>../log 2>&1 || { cat ../log; false; })
	$(Q)ls $(B)/deb/*.deb

deps:
	$(Q)tests/deps $(DEPS_BUILD) $(DEPS_TEST)
deps-lint:
	$(Q)tests/deps $(DEPS_LINT)

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
