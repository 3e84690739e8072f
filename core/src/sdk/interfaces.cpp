// SPDX-License-Identifier: MIT

// What the interfaces need at link time: their destructors stand here, so that their virtual tables and type
// information exist once, in libpbotvm.so, for the host and all plug-ins.

#include "pbotvm/hypervisor.h"
#include "pbotvm/language.h"
#include "pbotvm/language_facts.h"
#include "pbotvm/language_options.h"
#include "pbotvm/settings_check.h"
#include "pbotvm/transport.h"

PBOTVM_BEGIN_NAMESPACE

Transport::~Transport() = default;
void* Transport::extension(std::string_view) {
  return nullptr;
}
SignsOfLife::~SignsOfLife() = default;
TransportFactory::~TransportFactory() = default;

Hypervisor::~Hypervisor() = default;
void* Hypervisor::extension(std::string_view) {
  return nullptr;
}
HypervisorSnapshots::~HypervisorSnapshots() = default;
HypervisorEvents::~HypervisorEvents() = default;
HypervisorHandover::~HypervisorHandover() = default;
HypervisorInterruption::~HypervisorInterruption() = default;
HypervisorFactory::~HypervisorFactory() = default;

Language::~Language() = default;
void* Language::extension(std::string_view) {
  return nullptr;
}
LanguageFacts::~LanguageFacts() = default;
LanguageOptions::~LanguageOptions() = default;
LanguageFactory::~LanguageFactory() = default;

SettingsCheck::~SettingsCheck() = default;

PBOTVM_END_NAMESPACE
