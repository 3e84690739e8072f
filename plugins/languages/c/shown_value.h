// SPDX-License-Identifier: MIT
#pragma once

// The code that shows what a snippet has at its end. It stands on the headers of guest/include/pbotvm, and is nothing
// where a guest has none.

#include <vector>

#include "c_members.h"
#include "hidden_macros.h"
#include "last_value.h"
#include "source_emitter.h"

namespace pbotvm::c {

/// C++: in front of main, behind the types that the code defines. `macros` are those of the code and of its options.
void emit_value_header(SourceEmitter& to, const std::vector<Structure>& structures, const Names& macros);

/// In main, in place of the last expression.
void emit_expression(SourceEmitter& to, const LastValue& value, const std::vector<Structure>& structures,
                     bool cplusplus);

/// In main, behind the last statement.
void emit_variables(SourceEmitter& to, const LastValue& value, const std::vector<Structure>& structures,
                    bool cplusplus);

}  // namespace pbotvm::c
