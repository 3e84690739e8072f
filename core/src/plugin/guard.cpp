// SPDX-License-Identifier: MIT
#include "plugin/guard.h"

#include <Poco/Exception.h>

#include <exception>

#include "pbotvm/settings.h"

namespace pbotvm::plugin {

void rethrow_named(const Call& call) {
  const std::string prefix = call.text() + ": ";
  try {
    throw;
  } catch (const ConfigurationError&) {
    throw;
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool named = text.starts_with(call.kind + " " + call.plugin + ": ");  // by a call within this one
    throw Error(error.code(), named ? text : prefix + text);
  } catch (const Poco::Exception& error) {
    throw Error(ErrorCode::plugin, prefix + error.displayText());
  } catch (const std::exception& error) {
    throw Error(ErrorCode::plugin, prefix + error.what());
  } catch (...) {
    throw Error(ErrorCode::plugin, prefix + "it threw something that is not an exception class");
  }
}

}  // namespace pbotvm::plugin
