// SPDX-License-Identifier: MIT
#include "shown_value.h"

#include <string>
#include <string_view>

namespace pbotvm::c {

namespace {

// A C string of text on one line.
std::string literal(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\' || c == '?') quoted += '\\';  // '?': trigraphs
    quoted += c;
  }
  return quoted + '"';
}

// C: of pbotvm_value_, whichever structure it is.
std::string show_value(const std::string& name, const std::vector<Structure>& structures) {
  std::string text = "PBOTVM_SHOW_VALUE_(" + name + ");";
  for (const Structure& structure : structures) {
    text += "\nif (__builtin_types_compatible_p(pbotvm_type_, " + structure.type + ") && pbotvm_name_(" + name + ")) ";
    text += "{ " + structure.type + " *pbotvm_of_ = (" + structure.type + " *)(void *)&pbotvm_value_;";
    text += " pbotvm_put_(\"{\", 1);";
    bool first = true;
    for (const Member& member : structure.members) {
      text += member.array ? " PBOTVM_ELEMENTS_(" : " PBOTVM_MEMBER_(";
      text += std::string(first ? "\"" : "\", ") + member.name + " = \", pbotvm_of_->" + member.name + ");";
      first = false;
    }
    text += " pbotvm_put_(\"}\", 1); pbotvm_end_(\"" + structure.type + "\"); }";
  }
  return text;
}

}  // namespace

void emit_value_header(SourceEmitter& to, const std::vector<Structure>& structures, const Names& macros) {
  to.around("#if __cplusplus >= 201402L && defined PBOTVM_VALUE_H && !defined PBOTVM_VALUE_HPP\n" +
            hide_macros(macros) + "#include <pbotvm/value.hpp>\n" + restore_macros(macros) + "#endif");
  if (structures.empty()) return;
  std::string text = "#ifdef PBOTVM_VALUE_HPP\nnamespace pbotvm_ {\n";
  for (const Structure& structure : structures) {
    text += "template <> struct members_<::" + structure.type + "> {\nstatic constexpr bool known_ = true;\n";
    text += "template <class F_> static void each_(const ::" + structure.type + "& of_, F_& f_) {";
    for (const Member& member : structure.members) text += " f_(\"" + member.name + "\", of_." + member.name + ");";
    text += " }\n};\n";
  }
  to.around(text + "}\n#endif");
}

void emit_expression(SourceEmitter& to, const LastValue& value, const std::vector<Structure>& structures,
                     bool cplusplus) {
  if (cplusplus) {
    to.around("#ifdef PBOTVM_VALUE_HPP\n::pbotvm_::value_(" + literal(value.text) + "),\n#endif");
    to.tokens(value.first, value.last);
    to.raw(";");
    return;
  }
  // An older header of a guest's knows no rows.
  const bool name = value.first == value.last;
  if (name) {
    to.around("#ifdef PBOTVM_IS_ROW_\nif (PBOTVM_IS_ROW_(" + value.text + ")) PBOTVM_SHOW_ROW_(" + literal(value.text) +
              ", " + value.text + "); else\n#endif");
  }
  to.around("#ifdef PBOTVM_VALUE_H\n{ __extension__ typedef __typeof__(((void)0, (");
  to.tokens(value.first, value.last);
  to.around("))) pbotvm_type_; PBOTVM_HOLDER_ = __builtin_choose_expr(PBOTVM_IS_VOID_, ((void)(");
  to.tokens(value.first, value.last);
  to.around("), 0), (");
  to.tokens(value.first, value.last);
  to.around(")); " + show_value(literal(value.text), structures) + " }\n#else");
  to.tokens(value.first, value.last);
  to.raw(";\n#endif\n");
}

void emit_variables(SourceEmitter& to, const LastValue& value, const std::vector<Structure>& structures,
                    bool cplusplus) {
  if (value.variables.empty()) return;
  std::string text = cplusplus ? "#ifdef PBOTVM_VALUE_HPP\n" : "#ifdef PBOTVM_VALUE_H\n";
  for (const ShownVariable& variable : value.variables) {
    const std::string name = literal(variable.text);
    if (cplusplus) {
      text += "::pbotvm_::value_(" + name + "), " + variable.text + ";\n";
    } else if (variable.array) {
      text += "PBOTVM_SHOW_ARRAY_(" + name + ", " + variable.text + ");\n";
    } else {
      text += "{ __extension__ typedef __typeof__(((void)0, (" + variable.text +
              "))) pbotvm_type_; PBOTVM_HOLDER_ = (" + variable.text + "); " + show_value(name, structures) + " }\n";
    }
  }
  to.around(text + "#endif");
}

}  // namespace pbotvm::c
