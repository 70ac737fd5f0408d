"""Two groups of samples, such as patients and controls: where and when their explanations differ."""
