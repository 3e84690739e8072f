// SPDX-License-Identifier: MIT
#pragma once

#include "paste/page.h"
#include "pbotvm/job.h"
#include "service/catalogue.h"

namespace pbotvm::service {

/// Whether -paste stands among the options in front of a request's code, of which -lang= and -vm= were taken out, as
/// the request's language reads them.
bool asks_for_paste(const std::string& code, const LanguageDetails& language);

/// What is to be kept of a job, but for what comes of it.
paste::Page page_of(const Job& job, const CommentMarks& marks);

}  // namespace pbotvm::service
